"""Imports: what a cold start spends on a function's code before its first request."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.bench import ROOT
from scripts.bench.figure import Comparison, Figure, alternate
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


class _TemplateLoader(yaml.SafeLoader):
    """Reads a template; what ``!Ref`` and its like refer to stays as its text."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, node: node.value)


def measure(rounds: int) -> Figure:
    """Measure every function of the bundle, built for this machine as `make up` builds it."""
    settings = StackSettings.from_env(os.environ, ROOT)
    deployment.build(settings)
    build = settings.directory / "build"
    layers = sorted(build.glob("*/python"))
    template = yaml.load((build / "template.yaml").read_text(), Loader=_TemplateLoader)  # noqa: S506 - a SafeLoader
    apps = sorted(build.glob("*/app.py"))
    comparisons = [_compare(app.parent, layers, _variables(template, app.parent.name), rounds) for app in apps]
    return Figure(
        name="imports",
        unit="milliseconds of processor time, less is better",
        measured="importing a function's app.py in a fresh interpreter whose path is the function's folder, the "
        "layers and the standard library, from the built bundle with its bytecode and with the template's variables. "
        "Files are in the page cache; starting the interpreter is not counted.",
        reference="import boto3 in the same way",
        comparisons=comparisons,
    )


def _compare(folder: Path, layers: Sequence[Path], variables: Mapping[str, str], rounds: int) -> Comparison:
    path, environment = [folder, *layers], RUNTIME_VARIABLES | dict(variables)
    return alternate(
        folder.name,
        rounds,
        lambda: _import_milliseconds("app", path, environment),
        lambda: _import_milliseconds("boto3", path, environment),
    )


def _variables(template: Mapping[str, Any], function: str) -> dict[str, str]:
    """Return the function's environment; parameters have their defaults, resources are as good as their names."""
    sections = (template["Globals"]["Function"], template["Resources"][function]["Properties"])
    defaults = {name: str(parameter.get("Default", name)) for name, parameter in template["Parameters"].items()}
    values = {
        name: str(value["Ref"]) if isinstance(value, Mapping) and "Ref" in value else str(value)
        for section in sections
        for name, value in section.get("Environment", {}).get("Variables", {}).items()
    }
    return {name: defaults.get(value, value) for name, value in values.items()}


def _import_milliseconds(module: str, path: Sequence[Path], variables: Mapping[str, str]) -> float:
    """Isolated, without site-packages, and without leave to write bytecode: /opt is read-only."""
    command = [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, module, *map(str, path)]
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    return float(done.stdout) * 1_000
