"""Requests at an active custom domain of the deployed stack.

The emulator's own port knows the domain names of API Gateway and adds their base path. Routes behind usage plans need
the local gateway, which serves every host.
"""

import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from tests.e2e.deployed import Api, Organization, Stack
from tests.e2e.test_custom_domains import allow, await_work, domain, names, show
from tests.name_server import NameServer

__all__ = ["domain", "names"]


@pytest.fixture
def host(stack: Stack, api: Api, names: NameServer, acme: Organization, domain: str) -> str:
    """Return acme's active custom domain."""
    allow(stack, api, acme)
    for record in api.post("/domains", acme.secret_key, {"domain": domain}).document["records"]:
        names.put(record["name"], record["type"], record["value"])
    api.post(f"/domains/{domain}/verify", acme.secret_key, {})
    await_work(stack, lambda: show(api, acme, domain)["status"] == "active")
    return domain


def log_in(stack: Stack, host: str, members: Mapping[str, str]) -> int:
    """Log in at *host* on the emulator's own port, and return the status."""
    connection = http.client.HTTPConnection(urlsplit(stack.aws_endpoint_url).netloc, timeout=60)
    headers = {"Host": host, "Content-Type": "application/json"}
    connection.request("POST", "/v1/auth/token", body=json.dumps(members), headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_custom_domain_names_the_organization(
    stack: Stack, acme: Organization, globex: Organization, host: str
) -> None:
    statuses = [
        log_in(stack, host, {"email": each.admin_email, "password": each.admin_password}) for each in (acme, globex)
    ]

    assert statuses == [200, 401]


def test_custom_domain_confirms_its_organization_only(
    api: Api, acme: Organization, globex: Organization, host: str
) -> None:
    answers = [
        api.get("/usage", each.secret_key, {name: host})
        for each in (acme, globex)
        for name in ("Host", "X-Forwarded-Host")
    ]

    assert [each.status for each in answers] == [200, 200, 403, 403]
    assert answers[-1].document["code"] == "tenant_mismatch"
