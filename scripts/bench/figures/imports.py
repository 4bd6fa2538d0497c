"""Imports: the time and memory of a cold start for a function's code, and its size, before its first request."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from scripts.bench import ROOT
from scripts.bench.figure import Effort, Figure, Goal, alternate, at_most
from scripts.bench.functions import variables_of
from scripts.bench.import_packages import describe_packages
from scripts.stack import deployment
from scripts.stack.settings import StackSettings

# Ends at once, as no process on Lambda takes its threads down after a start.
PROGRAM: Final = """
import os, resource, sys, time
module, *sys.path[:0] = sys.argv[1:]
started = time.process_time()
__import__(module)
seconds = time.process_time() - started
try:  # getrusage has the peak of the parent, which forks this process
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(seconds, peak, flush=True)
os._exit(0)
"""
HOT_PATH: Final = frozenset({"Authorizer", "Ingest"})
MOST_ON_HOT_PATH: Final = 0.8
MOST_ELSEWHERE: Final = 2.0
KIB_PER_MIB: Final = 1_024
REPORTS: Final = 3
RUNTIME_VARIABLES: Final[dict[str, str]] = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
}


def measure(effort: Effort) -> Figure:
    """Measure every function of the bundle, built for this machine as `make up` builds it.

    The smallest size is one function.
    """
    settings = StackSettings.from_env(os.environ, ROOT)
    deployment.build(settings)
    build = settings.directory / "build"
    layers = sorted(build.glob("*/python"))
    apps = sorted(build.glob("*/app.py"))
    folders = [app.parent for app in apps[: effort.size(len(apps))]]
    imports = [_Import("app", [folder, *layers], RUNTIME_VARIABLES | variables_of(folder.name)) for folder in folders]
    boto3 = _Import("boto3", layers, RUNTIME_VARIABLES)
    comparisons = [
        alternate(folder.name, effort, each.measure, boto3.measure, _goal(folder.name))
        for folder, each in zip(folders, imports, strict=True)
    ]
    return Figure(
        name="imports",
        unit="milliseconds of processor time, less is better",
        measured="importing a function's app.py in a fresh interpreter whose path is the function's folder, the "
        "layers and the standard library, from the built bundle with its bytecode and with the template's variables. "
        "Files are in the page cache; starting the interpreter is not counted.",
        reference="import boto3 in the same way",
        comparisons=comparisons,
        notes=[
            _memory_note({folder.name: each for folder, each in zip(folders, imports, strict=True)}, boto3),
            _size_note(folders, [layer.parent for layer in layers]),
            *(_packages_note(folder.name, each) for folder, each in zip(folders, imports, strict=True)),
        ],
    )


class _Import:
    """The import of a module, with the paths of Lambda alone."""

    def __init__(self, module: str, path: Sequence[Path], variables: Mapping[str, str]) -> None:
        self._arguments = ["-c", PROGRAM, module, *map(str, path)]
        self._variables = dict(variables)
        self.peak_mib = 0.0

    def measure(self) -> float:
        """Return the milliseconds of processor time, and keep the peak of the memory."""
        seconds, peak = map(float, self._run().stdout.split())
        self.peak_mib = peak / (KIB_PER_MIB if sys.platform == "linux" else KIB_PER_MIB**2)  # macOS counts bytes
        return seconds * 1_000

    def describe_packages(self) -> str:
        """Return the largest packages of the import, with their shares of its time."""
        return describe_packages([self._run("-X", "importtime").stderr for _ in range(REPORTS)])

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-B", *options, *self._arguments]
        return subprocess.run(command, env=self._variables, check=True, capture_output=True, text=True)


def _goal(function: str) -> Goal:
    return at_most(MOST_ON_HOT_PATH if function in HOT_PATH else MOST_ELSEWHERE)


def _memory_note(imports: Mapping[str, _Import], boto3: _Import) -> str:
    listed = ", ".join(f"{name} {each.peak_mib:.0f}" for name, each in imports.items())
    return f"Peak of the memory of the interpreter after the import, in MiB: {listed}; boto3 {boto3.peak_mib:.0f}."


def _packages_note(function: str, imported: _Import) -> str:
    return f"Largest packages of {function}, by `python -X importtime`: {imported.describe_packages()}."


def _size_note(functions: Sequence[Path], layers: Sequence[Path]) -> str:
    listed = ", ".join(f"{layer.name} {_zipped_bytes(layer) / 1e6:.1f} MB" for layer in layers)
    largest = max(functions, key=_zipped_bytes)
    return f"Zipped: {listed}; the largest function, {largest.name}, {_zipped_bytes(largest) / 1e3:.0f} kB."


@cache
def _zipped_bytes(folder: Path) -> int:
    """Return the size of *folder* as a ZIP file, as Lambda takes it."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for each in sorted(folder.rglob("*")):
                archive.write(each, each.relative_to(folder))
        return file.tell()
