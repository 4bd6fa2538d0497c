"""Runs of the command line, whole or killed."""

import os
import signal
import subprocess
import sys
from uuid import UUID

from tests.given import ROOT
from tests.moves.servers import Deployment

FENCE_SECONDS = "30"  # a slow machine must not look like a slow comparison


def run(deployment: Deployment, organization_id: UUID, target: str) -> subprocess.CompletedProcess[str]:
    """Move an organization by a process of its own."""
    return _run("scripts.move", *arguments(deployment, organization_id, target))


def run_killed(deployment: Deployment, when: str, organization_id: UUID, target: str) -> bool:
    """Move an organization by a process that is killed at *when*, and tell whether it came that far."""
    done = _run("tests.moves.killed", when, *arguments(deployment, organization_id, target))
    if done.returncode == 0:
        return False
    assert done.returncode == -signal.SIGKILL, done.stderr
    return True


def arguments(deployment: Deployment, organization_id: UUID, target: str) -> list[str]:
    databases = str(deployment.file)
    return [
        "organization",
        str(organization_id),
        "--to",
        target,
        "--databases",
        databases,
        "--fence-seconds",
        FENCE_SECONDS,
    ]


def _run(module: str, *values: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers/tenancy'}:{ROOT}"}
    command = [sys.executable, "-m", module, *values]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
