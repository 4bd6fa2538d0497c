"""Functions, their sample events and layers agree with the template."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.build import REQUIREMENTS, SAML_LAYER
from tests.given import ROOT
from tests.members import for_each
from tests.template.template import (
    FOLDERS,
    FUNCTIONS,
    RESOURCES,
    TEMPLATE,
    events,
)

PHYSICAL_NAMES = {"FunctionName", "QueueName", "RoleName", "AlarmName", "LogGroupName"}
EXPORT = ("export", "--quiet", "--frozen", "--no-emit-project", "--no-hashes", "--no-annotate")


def test_each_folder_is_a_function_of_the_template() -> None:
    assert sorted(FUNCTIONS) == FOLDERS


def test_each_folder_of_events_belongs_to_a_function() -> None:
    assert sorted(path.name for path in (ROOT / "events").iterdir()) == FOLDERS


@for_each("function", FOLDERS)
def test_function_has_sample_events_in_json(function: str) -> None:
    samples = sorted((ROOT / "events" / function).glob("*.json"))

    events_of_samples = [json.loads(sample.read_text()) for sample in samples]

    assert events_of_samples


@for_each("function", FOLDERS)
def test_no_layer_is_attached_twice(function: str) -> None:
    """SAM adds a function's layers to those of Globals. The dependencies twice would pass Lambda's limit of 250 MB."""
    layers = [*TEMPLATE["Globals"]["Function"]["Layers"], *FUNCTIONS[function].get("Layers", [])]

    names = [layer["Ref"] for layer in layers]

    assert len(names) == len(set(names))


def test_no_resource_has_a_fixed_physical_name() -> None:
    """A second stage in the same account and region could not create it."""
    named = {
        name
        for name, resource in RESOURCES.items()
        for member, value in resource.get("Properties", {}).items()
        if member in PHYSICAL_NAMES and value not in [{"Ref": other} for other in RESOURCES]
    }

    assert named == set()


def test_no_schedule_has_a_fixed_name() -> None:
    schedules = [schedule for function in FOLDERS for schedule in events(function, "ScheduleV2")]

    assert schedules
    assert all(schedule["OmitName"] is True for schedule in schedules)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_those_of_the_lock(name: Path, tmp_path: Path) -> None:
    uv, exported = Path(sys.executable).with_name("uv"), tmp_path / "requirements.txt"
    command = [str(uv), *EXPORT, *REQUIREMENTS[name], "--no-header", "--output-file", str(exported)]

    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    assert (ROOT / name).read_text() == exported.read_text()


def test_only_sso_has_the_packages_of_saml() -> None:
    layer = {"Ref": SAML_LAYER}

    users = {function for function in FUNCTIONS if layer in FUNCTIONS[function].get("Layers", [])}

    assert users == {"sso"}
