"""The console in headless Chromium, on the deployed stack.

A scenario is a program in `tests/node/console`, which `harness.mjs` explains. To add one, write `<name>.mjs` there, and
a test here that calls `run("<name>", …)` with the organizations that it needs. `CONSOLE_PICTURES=<folder>` makes it
store pictures of each inspected state, and of the pages of a failure. Few long scenarios cost less than many short
ones.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deployed import Organization, Stack
from tests.given import ROOT
from tests.handlers.client_programs import run_client

STACK_FILE = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"

type Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(stack: Stack, node: tuple[str, Path]) -> Run:
    """Run a scenario with organizations by their name, and return its result."""
    program, folder = node
    described = json.loads(STACK_FILE.read_text())

    def run_scenario(name: str, **organizations: Organization) -> dict[str, Any]:
        given = {
            "api_url": stack.api_url,
            "console_url": described["console_url"],
            "mailbox_url": stack.mailbox_url,
            "sweep_url": f"{stack.aws_endpoint_url}/2015-03-31/functions/{stack.physical_id('Sweep')}/invocations",
            "platform_key": stack.platform_key,
            **{each: asdict(organization) for each, organization in organizations.items()},
        }
        output = run_client([program, f"console/{name}.mjs"], folder, given=json.dumps(given))
        return dict(json.loads(output))

    return run_scenario


def test_usage_shows_the_first_event_and_the_month(run: Run, acme: Organization) -> None:
    run("usage", acme=acme)


def test_keys_are_created_rotated_and_revoked(run: Run, acme: Organization) -> None:
    run("keys", acme=acme)


def test_sessions_begin_end_and_come_back(run: Run, acme: Organization, globex: Organization) -> None:
    run("sessions", acme=acme, globex=globex)
