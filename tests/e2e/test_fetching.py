"""The deployed function `Fetch`, and the e-mail domains that it proves, with servers of the tests."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.stack.fetching import change_variables
from tests.e2e.deployed import Api, Organization, Stack
from tests.given import ROOT
from tests.name_server import NameServer, running_name_server
from tests.tls_provider import Provider, http_answer, running_provider

pytestmark = pytest.mark.outside
STACK_FILE = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"


@pytest.fixture(scope="module")
def described() -> dict[str, str]:
    document: dict[str, str] = json.loads(STACK_FILE.read_text())
    return document


@pytest.fixture
def names(described: dict[str, str]) -> Iterator[NameServer]:
    with running_name_server(urlsplit(f"//{described['dns_address']}").port) as server:
        yield server


@pytest.fixture
def provider(described: dict[str, str]) -> Iterator[Provider]:
    """The first server that `Fetch` may call on this machine."""
    [host, _] = described["provider_hosts"].split(",")
    with running_provider(Path(described["provider_certificate"]), urlsplit(f"//{host}").port or 0) as server:
        server.answers["/"] = http_answer(b'{"issuer": "https://localhost"}', content_type="application/json")
        yield server


@pytest.fixture
def without_private_hosts(stack: Stack, described: dict[str, str]) -> Iterator[None]:
    """Deploy the function as the template has it."""
    change_variables(stack.aws_endpoint_url, {"PRIVATE_HOSTS_ALLOWED": ""})
    yield
    change_variables(stack.aws_endpoint_url, {"PRIVATE_HOSTS_ALLOWED": described["provider_hosts"]})


def fetch(stack: Stack, url: str) -> dict[str, Any]:
    return stack.invoke("Fetch", {"kind": "url", "url": url, "max_bytes": 1_000})


def test_deployed_function_fetches_from_a_server_of_the_tests(stack: Stack, provider: Provider) -> None:
    answer = fetch(stack, provider.url())

    assert (answer["outcome"], answer["status"], answer["content_type"]) == ("fetched", 200, "application/json")


@pytest.mark.usefixtures("without_private_hosts")
def test_same_server_is_refused_without_the_setting(stack: Stack, provider: Provider) -> None:
    assert fetch(stack, provider.url()) == {"outcome": "refused", "fault": "invalid_url"}
    assert fetch(stack, f"https://a.localhost:{provider.port}/") == {"outcome": "refused", "fault": "invalid_url"}
    assert fetch(stack, "https://a.localhost/") == {"outcome": "refused", "fault": "not_public"}
    assert provider.received == []


def test_deployed_function_refuses_private_addresses(stack: Stack, names: NameServer) -> None:
    names.put("inside.acme.example", "A", "169.254.169.254")

    assert fetch(stack, "https://inside.acme.example/") == {"outcome": "refused", "fault": "not_public"}


def test_domain_is_claimed_proven_and_removed(
    names: NameServer, stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    domain = f"{acme.subdomain}.example"
    refused = api.post("/sso/email-domains", acme.secret_key, {"domain": domain})
    assert (refused.status, refused.document["code"]) == (403, "forbidden")  # first keys lack sso:write

    session = log_in(api, globex)
    claimed = api.post("/sso/email-domains", session, {"domain": domain.upper()})
    assert claimed.status == 201
    missing = api.post(f"/sso/email-domains/{domain}/verify", session, {})
    assert missing.document["problem"]["code"] == "no_record"

    record = claimed.document["record"]
    names.put(record["name"], "TXT", record["value"])
    verified = api.post(f"/sso/email-domains/{domain}/verify", session, {})
    assert (verified.document["status"], verified.document["problem"]) == ("verified", None)

    starter = log_in(api, acme)
    not_in_tier = api.post("/sso/email-domains", starter, {"domain": domain})
    assert (not_in_tier.status, not_in_tier.document["code"]) == (403, "not_in_tier")
    body = json.dumps({"overrides": {"sso": True}}).encode()
    changed = api.call("PATCH", f"/organizations/{acme.id}", stack.platform_key, body=body)
    assert changed.status == 200
    names.put(record["name"], "TXT", claim_value(api, starter, domain))
    taken = api.post(f"/sso/email-domains/{domain}/verify", starter, {})
    assert (taken.status, taken.document["code"]) == (409, "domain_taken")

    assert api.call("DELETE", f"/sso/email-domains/{domain}", session).status == 204
    assert api.post(f"/sso/email-domains/{domain}/verify", starter, {}).document["status"] == "verified"


def claim_value(api: Api, session: str, domain: str) -> str:
    return str(api.post("/sso/email-domains", session, {"domain": domain}).document["record"]["value"])


def log_in(api: Api, organization: Organization) -> str:
    """Return an access token of the administrator."""
    name = organization.subdomain.partition("-")[0]
    body = {
        "organization": organization.subdomain,
        "email": f"admin@{name}.example",
        "password": organization.admin_password,
    }
    return str(api.post("/auth/token", None, body).document["access_token"])
