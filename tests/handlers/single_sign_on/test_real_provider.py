"""A log-in with a certified provider (npm `oidc-provider`), without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.certified_provider import ProviderVisit, running_certified_provider
from tests.given import Databases
from tests.handlers.conftest import PROVIDER_HOST
from tests.handlers.functions import API_HOST, Function
from tests.handlers.requests import answer_of
from tests.handlers.single_sign_on.browser import (
    REDIRECT_URI,
    SsoBrowser,
    members_of,
    prove_domain,
    put_request,
    query_of,
)
from tests.handlers.single_sign_on.provider import CLIENT_ID, CLIENT_SECRET
from tests.stores.private_authority import Authority


@pytest.fixture
def callback(acme: Provisioned) -> str:
    return f"http://{API_HOST}/v1/auth/sso/callback/{acme.organization.id}"


@pytest.fixture
def issuer(node: tuple[str, Path], authority: Authority, callback: str) -> Iterator[str]:
    with running_certified_provider(
        node, authority.server_file, CLIENT_ID, CLIENT_SECRET, callback, PROVIDER_HOST
    ) as issuer:
        yield issuer


@pytest.fixture
def reachable(issuer: str) -> list[str]:
    return [issuer]


@pytest.fixture
def connected(sso: Function, databases: Databases, issuer: str, acme: Provisioned) -> Provisioned:
    prove_domain(databases, acme, "acme.example")
    settings = {
        "type": "oidc",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "default_role": "analyst",
        "redirect_uris": [REDIRECT_URI],
    }
    assert answer_of(sso(put_request(acme, settings))).status == 200
    return acme


def test_log_in_with_a_certified_provider(
    browser: SsoBrowser, databases: Databases, connected: Provisioned, authority: Authority, callback: str
) -> None:
    """The provider names its issuer in the answer, and the address at its userinfo endpoint only."""
    members = ProviderVisit(authority.root_file, callback).authorize(
        browser.start(email="bob@acme.example").headers["location"]
    )

    finished = browser.come_back(members)

    assert finished.status == 302, finished.body
    assert browser.exchange(query_of(finished.headers["location"])["code"]).status == 200
    assert ("bob@acme.example", "analyst", "active", False) in members_of(databases, connected)


def test_answer_of_a_certified_provider_is_used_once(browser: SsoBrowser, authority: Authority, callback: str) -> None:
    members = ProviderVisit(authority.root_file, callback).authorize(browser.start().headers["location"])
    cookies = dict(browser.cookies)
    assert browser.come_back(members).status == 302
    browser.cookies = cookies

    assert browser.come_back(members).status == 401
