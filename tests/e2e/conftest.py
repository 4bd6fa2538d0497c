"""The stack that `make up` started, and new organizations for each test.

The stack may have other organizations.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.e2e.deployed import Api, Organization, Stack
from tests.given import ROOT
from tests.handlers.client_programs import run_client
from tests.stack_turns import outside_servers, sharing_stack, stack_alone

STACK_FOLDER = ROOT / os.environ.get("STACK_DIR", ".local")

type Provision = Callable[[str, str], Organization]
type RunConsole = Callable[..., None]


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let tests share the stack, except those marked `alone`. Those marked `outside` take turns."""
    marked = request.node.get_closest_marker
    outside = outside_servers() if marked("outside") else nullcontext()
    with outside, stack_alone() if marked("alone") else sharing_stack():
        yield


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack.load(STACK_FOLDER / "stack.json")


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack.api_url)


@pytest.fixture(scope="session")
def provision(stack: Stack, api: Api) -> Provision:
    """Provision an organization by its name, with a subdomain that no earlier run has taken."""

    def provision(name: str, tier: str) -> Organization:
        password = secrets.token_urlsafe()
        answer = api.post(
            "/organizations",
            stack.platform_key,
            {
                "name": name.title(),
                "subdomain": f"{name}-{secrets.token_hex(4)}",
                "admin_email": f"admin@{name}.example",
                "admin_password": password,
                "tier": tier,
            },
        )
        assert answer.status == 201, answer.document
        return Organization.of(answer.document, admin_password=password)

    return provision


@pytest.fixture
def acme(provision: Provision) -> Organization:
    return provision("acme", "starter")


@pytest.fixture
def globex(provision: Provision) -> Organization:
    return provision("globex", "growth")


@pytest.fixture
def run_console(stack: Stack, node: tuple[str, Path]) -> RunConsole:
    """Run a scenario of the console (tests/e2e/test_console.py) with organizations by their name."""
    program, folder = node

    def run(scenario: str, *, more: Mapping[str, object] | None = None, **organizations: Organization) -> None:
        invocations = f"{stack.aws_endpoint_url}/2015-03-31/functions"
        given = {
            "api_url": stack.api_url,
            "console_url": stack.console_url,
            "mailbox_url": stack.mailbox_url,
            "files_origin": stack.aws_endpoint_url,
            "sweep_url": f"{invocations}/{stack.physical_id('Sweep')}/invocations",
            "jobs_url": f"{invocations}/{stack.physical_id('PrivacyJobs')}/invocations",
            "platform_key": stack.platform_key,
            **{name: asdict(organization) for name, organization in organizations.items()},
            **(more or {}),
        }
        run_client([program, f"console/{scenario}.mjs"], folder, given=json.dumps(given))

    return run
