"""The stack that `make up` started, and new organizations for each test.

The stack may have other organizations.
"""

import os
import secrets
from collections.abc import Callable

import pytest

from tests.e2e.deployed import Api, Organization, Stack
from tests.given import ROOT

STACK_FOLDER = ROOT / os.environ.get("STACK_DIR", ".local")

type Provision = Callable[[str, str], Organization]


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack.load(STACK_FOLDER / "stack.json")


@pytest.fixture
def api(stack: Stack) -> Api:
    return Api(stack.api_url)


@pytest.fixture
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
