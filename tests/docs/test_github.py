"""The workflow of GitHub runs the checks that a clean checkout must pass, and the tests that need Docker."""

import yaml

from tests.given import ROOT

SCRIPT = ".ci/run"
REAL_SERVERS = "make test-clickhouse"
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())


def test_workflow_runs_the_ci_script_and_real_servers_only() -> None:
    commands = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]

    assert commands == [SCRIPT, REAL_SERVERS]


def test_ci_script_is_executable() -> None:
    assert (ROOT / SCRIPT).stat().st_mode & 0o111


def test_workflow_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
