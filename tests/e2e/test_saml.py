"""A log-in by SAML on the deployed stack, with a provider of npm and without a browser."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from tests.e2e.deployed import Api, Organization, Stack
from tests.e2e.test_single_sign_on import REDIRECT_URI, described, prove_domain, put, token, visit
from tests.samlify_provider import running_samlify, visit_samlify

__all__ = ["described", "token"]  # fixtures

pytestmark = pytest.mark.outside


@pytest.fixture
def domain(globex: Organization) -> str:
    return f"saml-{globex.subdomain}.example"


@pytest.fixture
def origin(node: tuple[str, Path], described: dict[str, str], tmp_path: Path, domain: str) -> Iterator[str]:
    host, _, port = described["provider_hosts"].rpartition(",")[2].partition(":")
    certificate = Path(described["provider_certificate"])
    with running_samlify(node, certificate, tmp_path, f"eva@{domain}", host, port) as origin:
        yield origin


def send(url: str, form: dict[str, str]) -> tuple[int, str]:
    """Send *form* from another site: without a cookie. Return status and address of the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://idp.example"}
    connection.request("POST", parts.path, urlencode(form), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["location"] or ""


def test_member_logs_in_with_a_saml_provider(
    stack: Stack,
    api: Api,
    described: dict[str, str],
    tmp_path: Path,
    origin: str,
    domain: str,
    globex: Organization,
    token: str,
) -> None:
    prove_domain(api, described, token, domain)
    settings = {
        "type": "saml",
        "metadata_url": f"{origin}/metadata",
        "default_role": "analyst",
        "redirect_uris": [REDIRECT_URI],
    }
    status, connection = put(api, token, settings)
    assert (status, connection["entity_id"]) == (200, f"{origin}/metadata")
    with urlopen(f"{stack.api_url}/auth/sso/metadata?organization={globex.id}", timeout=60) as metadata:
        (tmp_path / "service.xml").write_bytes(metadata.read())
    root_file = Path(described["provider_certificate"]).with_name("root.pem")

    query = urlencode({"organization": globex.subdomain, "redirect_uri": REDIRECT_URI})
    _, location, cookie = visit(f"{stack.api_url}/auth/sso/start?{query}")
    form = visit_samlify(root_file, location)
    status, finish = send(f"{stack.api_url}/auth/sso/acs", form)
    assert (status, finish.partition("?")[0]) == (303, f"{stack.api_url}/auth/sso/finish")
    assert visit(finish)[0] == 401  # another browser
    status, location, _ = visit(finish, cookie)

    assert (status, location.partition("?")[0]) == (302, REDIRECT_URI)
    code = parse_qs(urlsplit(location).query)["code"][0]
    tokens = api.post("/auth/sso/token", None, {"code": code})
    assert tokens.status == 200, tokens.document
    me = api.get("/me", tokens.document["access_token"]).document
    assert (me["email"], me["role"]) == (f"eva@{domain}", "analyst")
    assert send(f"{stack.api_url}/auth/sso/acs", form)[0] == 401
    assert visit(finish, cookie)[0] == 401
