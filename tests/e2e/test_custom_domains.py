"""A custom domain on the deployed stack, from the claim to requests at it, and to its removal.

The local gateway serves every host, so requests go to the emulator's own port, which knows only the domain names that
API Gateway has.
"""

import http.client
import json
import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.deployed import Api, Organization, Stack, wait_for
from tests.given import ROOT
from tests.name_server import NameServer, running_name_server

pytestmark = pytest.mark.outside
STACK_FILE = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"


@pytest.fixture
def names() -> Iterator[NameServer]:
    described: dict[str, str] = json.loads(STACK_FILE.read_text())
    with running_name_server(urlsplit(f"//{described['dns_address']}").port) as server:
        yield server


@pytest.fixture
def domain() -> str:
    return f"data.{secrets.token_hex(8)}.example"


def allow(stack: Stack, api: Api, organization: Organization) -> None:
    body = json.dumps({"overrides": {"white_label": True}}).encode()
    assert api.call("PATCH", f"/organizations/{organization.id}", stack.platform_key, body=body).status == 200


def show(api: Api, organization: Organization, domain: str) -> dict[str, Any]:
    return dict(api.get(f"/domains/{domain}", organization.secret_key).document)


def status_at(stack: Stack, domain: str, path: str) -> int:
    """Return the status of a request at *domain*, on the emulator's own port."""
    connection = http.client.HTTPConnection(urlsplit(stack.aws_endpoint_url).netloc, timeout=60)
    connection.request("GET", path, headers={"Host": domain})
    answer = connection.getresponse()
    is_ours = answer.getheader("X-Request-Id") is not None
    answer.read()
    connection.close()
    return answer.status if is_ours else 0


def await_work(stack: Stack, is_done: Callable[[], bool]) -> None:
    """Sweep, and wait until the state machine has done its work."""
    stack.invoke("Sweep")
    assert wait_for(lambda: int(is_done()), 1)


def certificates(stack: Stack, domain: str) -> list[str]:
    client = stack.client("acm")
    found = client.list_certificates()["CertificateSummaryList"]
    return [each["CertificateArn"] for each in found if each["DomainName"] == domain]


def test_domain_is_served_until_its_removal(
    stack: Stack, api: Api, names: NameServer, acme: Organization, domain: str
) -> None:
    allow(stack, api, acme)
    claimed = api.post("/domains", acme.secret_key, {"domain": domain}).document
    for record in claimed["records"]:
        names.put(record["name"], record["type"], record["value"])
    before = status_at(stack, domain, "/v1/health")

    assert api.post(f"/domains/{domain}/verify", acme.secret_key, {}).document["status"] == "verified"
    await_work(stack, lambda: show(api, acme, domain)["status"] == "active")

    assert (before, status_at(stack, domain, "/v1/health")) == (0, 200)
    assert len(certificates(stack, domain)) == 1

    assert api.call("DELETE", f"/domains/{domain}", acme.secret_key).status == 204
    await_work(stack, lambda: api.get(f"/domains/{domain}", acme.secret_key).status == 404)

    assert status_at(stack, domain, "/v1/health") == 0
    assert certificates(stack, domain) == []


def test_domain_moves_to_another_organization(
    stack: Stack, api: Api, names: NameServer, acme: Organization, globex: Organization, domain: str
) -> None:
    for each in (acme, globex):
        allow(stack, api, each)
        claimed = api.post("/domains", each.secret_key, {"domain": domain}).document
        for record in claimed["records"]:
            names.put(record["name"], record["type"], record["value"])
        assert api.post(f"/domains/{domain}/verify", each.secret_key, {}).document["status"] == "verified"
        await_work(stack, lambda owner=each: show(api, owner, domain)["status"] == "active")  # type: ignore[misc]
        if each is acme:
            assert api.call("DELETE", f"/domains/{domain}", each.secret_key).status == 204
            await_work(stack, lambda: api.get(f"/domains/{domain}", acme.secret_key).status == 404)

    assert status_at(stack, domain, "/v1/health") == 200
    assert len(certificates(stack, domain)) == 1
