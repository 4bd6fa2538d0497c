"""Imports: the time of a cold start for a function's code, before its first request."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.bench import ROOT
from scripts.bench.figure import Comparison, Effort, Figure, alternate
from scripts.bench.functions import variables_of
from scripts.stack import deployment
from scripts.stack.settings import StackSettings

# Ends at once, as no process on Lambda takes its threads down after a start.
PROGRAM: Final = """
import os, sys, time
module, *sys.path[:0] = sys.argv[1:]
started = time.process_time()
__import__(module)
print(time.process_time() - started, flush=True)
os._exit(0)
"""
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
    apps = apps[: effort.size(len(apps))]
    comparisons = [_compare(app.parent, layers, variables_of(app.parent.name), effort) for app in apps]
    return Figure(
        name="imports",
        unit="milliseconds of processor time, less is better",
        measured="importing a function's app.py in a fresh interpreter whose path is the function's folder, the "
        "layers and the standard library, from the built bundle with its bytecode and with the template's variables. "
        "Files are in the page cache; starting the interpreter is not counted.",
        reference="import boto3 in the same way",
        comparisons=comparisons,
    )


def _compare(folder: Path, layers: Sequence[Path], variables: Mapping[str, str], effort: Effort) -> Comparison:
    path, environment = [folder, *layers], RUNTIME_VARIABLES | dict(variables)
    return alternate(
        folder.name,
        effort,
        lambda: _import_milliseconds("app", path, environment),
        lambda: _import_milliseconds("boto3", path, environment),
    )


def _import_milliseconds(module: str, path: Sequence[Path], variables: Mapping[str, str]) -> float:
    """Return the processor time of an import, with the paths of Lambda alone."""
    command = [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, module, *map(str, path)]
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    return float(done.stdout) * 1_000
