"""The workflow of GitHub runs the checks that a clean checkout must pass, and nothing else."""

import yaml

from tests.given import ROOT

SCRIPT = ".ci/run"
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())


def test_workflow_runs_the_ci_script_only() -> None:
    commands = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]

    assert commands == [SCRIPT]


def test_ci_script_is_executable() -> None:
    assert (ROOT / SCRIPT).stat().st_mode & 0o111


def test_workflow_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
