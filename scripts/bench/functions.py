"""Handlers as in Lambda, each with its own app.py and its own variables."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

from scripts.bench import ROOT
from scripts.template import read_template

TEMPLATE: Final = ROOT / "template.yaml"


@contextmanager
def loaded(name: str, aws_url: str, variables: Mapping[str, str] = MappingProxyType({})) -> Iterator[ModuleType]:
    """Yield functions/*name*/app.py, with AWS at *aws_url*, and *variables* in place of those of the template."""
    os.environ |= {**environment_of(name, aws_url), **variables}
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield _import(ROOT / "functions" / name / "app.py")


def environment_of(name: str, aws_url: str, template: Path = TEMPLATE) -> dict[str, str]:
    """Return the variables of functions/*name*, with AWS at *aws_url*."""
    return variables_of(name.title().replace("_", ""), template) | {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SECRETS_PREFIX": "tenancy/bench",
        "EVENTS_QUEUE_URL": f"{aws_url}/events",
        "DEAD_LETTERS_URL": f"{aws_url}/dead-letters",
        "AUDIT_QUEUE_URL": f"{aws_url}/audit",
        "BASE_DOMAIN": "attribution.example",
        "API_HOST": "api.attribution.example",
        "REDIS_PATIENCE_MS": "50",
    }


def variables_of(function: str, file: Path = TEMPLATE) -> dict[str, str]:
    """Return the variables that the template in *file* gives to *function*, its logical id.

    A parameter has its default, and a resource its name.
    """
    template = read_template(file)
    sections = (template["Globals"]["Function"], template["Resources"][function]["Properties"])
    defaults = {name: str(parameter.get("Default", name)) for name, parameter in template["Parameters"].items()}
    values = {
        name: str(value["Ref"]) if isinstance(value, Mapping) and "Ref" in value else str(value)
        for section in sections
        for name, value in section.get("Environment", {}).get("Variables", {}).items()
    }
    return {name: defaults.get(value, value) for name, value in values.items()}


def sample(name: str) -> dict[str, Any]:
    """Return the sample request events/*name*.json, such as `ingest/events`."""
    document: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return document


def _import(file: Path) -> ModuleType:
    spec = spec_from_file_location("app", file)
    if spec is None or spec.loader is None:
        sys.exit(f"{file} is no module")
    app = module_from_spec(spec)
    spec.loader.exec_module(app)
    return app
