"""A log-in with a certified provider (npm `oidc-provider`), without a browser."""

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
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

CALLBACK = f"http://{API_HOST}/v1/auth/sso/callback"
MAX_REDIRECTS = 10


@pytest.fixture
def issuer(node: tuple[str, Path], authority: Authority) -> Iterator[str]:
    program, folder = node
    command = [program, "provider.mjs", str(authority.server_file), CLIENT_ID, CLIENT_SECRET, CALLBACK, PROVIDER_HOST]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


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


class ProviderVisit:
    """A browser at the provider, with its cookies there."""

    def __init__(self, authority: Authority) -> None:
        self._context = ssl.create_default_context(cafile=authority.root_file)
        self._cookies: dict[str, str] = {}

    def authorize(self, url: str) -> dict[str, str]:
        """Follow the provider's redirects, and return the members of its answer."""
        for _ in range(MAX_REDIRECTS):
            location = urljoin(url, self._get(url))
            if location.startswith(CALLBACK):
                return query_of(location)
            url = location
        raise AssertionError("The provider leads nowhere.")

    def _get(self, url: str) -> str:
        parts = urlsplit(url)
        assert parts.hostname
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=self._context)
        plain = socket.create_connection(("127.0.0.1", parts.port))
        connection.sock = self._context.wrap_socket(plain, server_hostname=parts.hostname)
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        for text in answer.msg.get_all("set-cookie") or []:
            name, _, value = text.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.headers["location"]


def test_log_in_with_a_certified_provider(
    browser: SsoBrowser, databases: Databases, connected: Provisioned, authority: Authority
) -> None:
    """The provider names its issuer in the answer, and the address at its userinfo endpoint only."""
    members = ProviderVisit(authority).authorize(browser.start(email="bob@acme.example").headers["location"])

    finished = browser.come_back(members)

    assert finished.status == 302, finished.body
    assert browser.exchange(query_of(finished.headers["location"])["code"]).status == 200
    assert ("bob@acme.example", "analyst", "active", False) in members_of(databases, connected)


def test_answer_of_a_certified_provider_is_used_once(browser: SsoBrowser, authority: Authority) -> None:
    members = ProviderVisit(authority).authorize(browser.start().headers["location"])
    cookies = dict(browser.cookies)
    assert browser.come_back(members).status == 302
    browser.cookies = cookies

    assert browser.come_back(members).status == 401
