"""A log-in by single sign-on on the deployed stack, with a certified provider and without a browser."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from scripts.stack.fetching import change_variables
from tests.certified_provider import ProviderVisit, running_certified_provider
from tests.e2e.conftest import RunConsole
from tests.e2e.deployed import Api, Organization, Stack
from tests.given import ROOT
from tests.name_server import running_name_server

pytestmark = pytest.mark.outside
STACK_FILE = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"
CLIENT_ID, CLIENT_SECRET = "tenancy-client", "a-secret-of-the-provider"
REDIRECT_URI = "https://app.globex.example/signed-in"


@pytest.fixture(scope="module")
def described() -> dict[str, str]:
    document: dict[str, str] = json.loads(STACK_FILE.read_text())
    return document


@pytest.fixture
def issuer(node: tuple[str, Path], described: dict[str, str], callback: str) -> Iterator[str]:
    host, _, port = described["provider_hosts"].partition(",")[0].partition(":")
    certificate = Path(described["provider_certificate"])
    with running_certified_provider(node, certificate, CLIENT_ID, CLIENT_SECRET, callback, host, port) as issuer:
        yield issuer


@pytest.fixture
def callback(stack: Stack, globex: Organization) -> str:
    return f"{stack.api_url}/auth/sso/callback/{globex.id}"


@pytest.fixture
def token(api: Api, globex: Organization) -> str:
    body = {"organization": globex.subdomain, "email": globex.admin_email, "password": globex.admin_password}
    return str(api.post("/auth/token", None, body).document["access_token"])


def settings(issuer: str, **changes: object) -> dict[str, object]:
    return {
        "type": "oidc",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "default_role": "viewer",
        "redirect_uris": [REDIRECT_URI],
        **changes,
    }


def put(api: Api, token: str, document: object) -> tuple[int, dict[str, object]]:
    answer = api.call("PUT", "/sso", token, body=json.dumps(document).encode())
    return answer.status, answer.document


def prove_domain(api: Api, described: dict[str, str], token: str, domain: str) -> None:
    with running_name_server(urlsplit(f"//{described['dns_address']}").port) as names:
        record = api.post("/sso/email-domains", token, {"domain": domain}).document["record"]
        names.put(record["name"], "TXT", record["value"])
        verified = api.post(f"/sso/email-domains/{domain}/verify", token, {})
    assert verified.document["status"] == "verified"


def visit(url: str, cookie: str = "") -> tuple[int, str, str]:
    """Get *url* as a browser does, without following a redirect. Return status, address and cookie of the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["location"] or "", (answer.headers["set-cookie"] or "").partition(";")[0]


def test_member_logs_in_with_a_certified_provider(
    stack: Stack,
    api: Api,
    described: dict[str, str],
    issuer: str,
    callback: str,
    globex: Organization,
    token: str,
) -> None:
    domain = f"{globex.subdomain}.example"
    prove_domain(api, described, token, domain)
    status, connection = put(api, token, settings(issuer))
    assert (status, connection["callback_url"]) == (200, callback)

    query = urlencode({"email": f"bob@{domain}", "redirect_uri": REDIRECT_URI})
    _, location, cookie = visit(f"{stack.api_url}/auth/sso/start?{query}")
    root_file = Path(described["provider_certificate"]).with_name("root.pem")
    members = ProviderVisit(root_file, callback).authorize(location)
    status, location, _ = visit(f"{callback}?{urlencode(members)}", cookie)

    assert (status, location.partition("?")[0]) == (302, REDIRECT_URI)
    code = parse_qs(urlsplit(location).query)["code"][0]
    tokens = api.post("/auth/sso/token", None, {"code": code})
    assert tokens.status == 200, tokens.document
    me = api.get("/me", tokens.document["access_token"]).document
    assert (me["email"], me["role"]) == (f"bob@{domain}", "viewer")
    assert api.post("/auth/sso/token", None, {"code": code}).status == 401
    assert visit(f"{callback}?{urlencode(members)}", cookie)[0] == 401


def test_member_signs_in_to_the_console_with_the_provider(
    run_console: RunConsole,
    stack: Stack,
    api: Api,
    described: dict[str, str],
    issuer: str,
    globex: Organization,
    token: str,
) -> None:
    domain = f"{globex.subdomain}.example"
    prove_domain(api, described, token, domain)
    own = urlsplit(stack.console_url)._replace(
        netloc=f"{globex.subdomain}.attribution.localhost:{urlsplit(stack.api_url).port}"
    )
    status, connection = put(api, token, settings(issuer, redirect_uris=[f"{own.geturl()}sign-in"]))
    assert status == 200, connection

    run_console("single_sign_on", globex=globex)


def test_same_provider_is_refused_without_the_setting(
    stack: Stack, api: Api, described: dict[str, str], issuer: str, token: str
) -> None:
    change_variables(stack.aws_endpoint_url, {"PRIVATE_HOSTS_ALLOWED": ""})
    try:
        status, problem = put(api, token, settings(issuer))
    finally:
        change_variables(stack.aws_endpoint_url, {"PRIVATE_HOSTS_ALLOWED": described["provider_hosts"]})

    assert (status, problem["code"]) == (422, "invalid")


def test_starter_has_no_single_sign_on(api: Api, acme: Organization) -> None:
    body = {"organization": acme.subdomain, "email": acme.admin_email, "password": acme.admin_password}
    session = str(api.post("/auth/token", None, body).document["access_token"])

    status, problem = put(api, session, settings("https://login.acme.example"))

    assert (status, problem["code"]) == (403, "not_in_tier")
