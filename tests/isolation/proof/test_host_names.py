"""On public routes, hosts of organizations that are suspended, deleted or erased are answered like unknown hosts.

Each public route of the template is called, so a new route is covered at once. An answer is compared with its headers
and with the round trips to PostgreSQL. Each ending is applied to the same organization, one after the other.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from scripts.tcp_proxy import TcpProxy
from tests.given import Databases
from tests.handlers.functions import BASE_DOMAIN, superuser
from tests.handlers.test_round_trips import postgres_proxy
from tests.isolation.proof.attack.calls import Call, discover_calls, document_in, request_for, with_document
from tests.isolation.proof.attack.gateway import GatewayRequest, LocalGateway
from tests.isolation.proof.normalization import normalize
from tests.isolation.proof.proof_data import (
    ADMIN_ROLE,
    ANONYMOUS_KIND,
    ProofData,
    ProofOrganization,
    unknown_organization,
)
from tests.isolation.proof.test_hosts import with_host

__all__ = ["postgres_proxy"]

UNKNOWN_NAME, UNKNOWN_DOMAIN = "unknown-0f0f0f0f0f0f0f0f", "track.unknown-0f0f0f0f0f0f0f0f.example"
NAMES = {"organization", "organization_id"}  # members that name an organization beside the host
ERASE = "UPDATE organizations SET status = 'erased', subdomain = id::text, gateway_key = id::text WHERE id = %(id)s"
# A canary is in place of each listed name.
RESTORE_NAMES = """
    UPDATE organization_names AS n SET subdomain = o.subdomain FROM organizations AS o WHERE o.id = n.organization_id
"""
ENDINGS = {
    "active": "",
    "suspended": "UPDATE organizations SET status = 'suspended' WHERE id = %(id)s",
    "deleted": "UPDATE organizations SET status = 'deleted' WHERE id = %(id)s",
    "erased": f"DELETE FROM custom_domains WHERE organization_id = %(id)s; {ERASE}",
}
SHOWN_WHILE_ACTIVE = frozenset({"GET /branding"})  # the branding of an active organization is public
FEWEST_CALLS = 15

type VisibleAnswer = tuple[int, str, int]


def end(databases: Databases, globex: ProofOrganization, ending: str) -> None:
    with superuser(databases) as conn:
        for statement in filter(None, ENDINGS[ending].split("; ")):
            conn.execute(statement.encode(), {"id": globex.organization_id})


@pytest.fixture
def globex(databases: Databases, data: ProofData) -> ProofOrganization:
    """Return globex without single sign-on, which would lead each stranger to its provider."""
    globex = data.organizations[1]
    with superuser(databases) as conn:
        conn.execute(RESTORE_NAMES)
        conn.execute(
            "UPDATE sso_connections SET ended_at = now() WHERE organization_id = %s", (globex.organization_id,)
        )
    return globex


def public_calls(gateway: LocalGateway) -> list[Call]:
    routes = [each for each in gateway.routes if not each.has_authorizer and each.method != "OPTIONS"]
    return [call for route in routes for call in discover_calls(route)]


def without_names(request: GatewayRequest, call: Call) -> GatewayRequest:
    """Return *request* with no other name of an organization than its host."""
    query = tuple(pair for pair in request.query if pair[0] not in NAMES)
    document = document_in(request)
    if not isinstance(document, dict):
        return replace(request, query=query)
    kept = {name: value for name, value in document.items() if name not in NAMES}
    return with_document(replace(request, query=query), call, kept)


def answer_at(
    gateway: LocalGateway, proxy: TcpProxy, request: GatewayRequest, host: str, names: dict[str, str]
) -> VisibleAnswer:
    """Return status, headers and body at *host*, without *names*, and the round trips of a warm function."""
    at_host = with_host(request, host)
    gateway.send(at_host)
    before = proxy.round_trips
    answer = gateway.send(at_host)
    return answer.status, normalize(answer.text, names), proxy.round_trips - before


def is_shown(call: Call, ending: str) -> bool:
    return ending == "active" and call.route.name in SHOWN_WHILE_ACTIVE


def differences(
    requests: list[tuple[Call, GatewayRequest]],
    expected: list[VisibleAnswer],
    answers: list[VisibleAnswer],
    ending: str,
) -> list[str]:
    """Return a sentence for each request whose answer differs from that of an unknown host."""
    return [
        f"{call.name}: {unknown} and {found}"
        for (call, _), unknown, found in zip(requests, expected, answers, strict=True)
        if unknown != found and not is_shown(call, ending)
    ]


def placeholders(organization: ProofOrganization, *others: str) -> dict[str, str]:
    return dict.fromkeys((organization.subdomain, organization.custom_host, *others), "<name>")


def requests_at_subdomains(gateway: LocalGateway, data: ProofData) -> Iterator[tuple[Call, GatewayRequest]]:
    """Yield requests of acme, which may be those of a valid token, and requests of a stranger without another name."""
    acme = data.organizations[0]
    for call in public_calls(gateway):
        stranger = request_for(call, data.credential(ANONYMOUS_KIND, None), acme)
        yield call, request_for(call, data.credential(ADMIN_ROLE, acme.organization_id), acme)
        yield call, stranger
        yield call, without_names(stranger, call)


def requests_at_domains(gateway: LocalGateway, data: ProofData) -> Iterator[tuple[Call, GatewayRequest]]:
    """Yield requests without another name. Beside one, a host of no organization is no name (docs/api.md)."""
    unknown = unknown_organization(data.organizations[0])  # so that a token in the request is no name either
    for call in public_calls(gateway):
        request = request_for(call, data.credential(ANONYMOUS_KIND, None), unknown)
        yield call, without_names(request, call)


def test_subdomain_is_answered_like_an_unknown_one(
    gateway: LocalGateway,
    data: ProofData,
    databases: Databases,
    postgres_proxy: TcpProxy,
    globex: ProofOrganization,
    subtests: pytest.Subtests,
) -> None:
    names = placeholders(globex, UNKNOWN_NAME)
    unknown, found = (f"{name}.{BASE_DOMAIN}" for name in (UNKNOWN_NAME, globex.subdomain))
    requests = list(requests_at_subdomains(gateway, data))
    expected = [answer_at(gateway, postgres_proxy, request, unknown, names) for _, request in requests]
    assert len(requests) >= FEWEST_CALLS

    for ending in ENDINGS:
        end(databases, globex, ending)
        answers = [answer_at(gateway, postgres_proxy, request, found, names) for _, request in requests]
        with subtests.test(ending):
            assert differences(requests, expected, answers, ending) == []


def test_custom_domain_is_answered_like_an_unknown_host(
    gateway: LocalGateway,
    data: ProofData,
    databases: Databases,
    postgres_proxy: TcpProxy,
    globex: ProofOrganization,
    subtests: pytest.Subtests,
) -> None:
    names = placeholders(globex, UNKNOWN_DOMAIN)
    requests = list(requests_at_domains(gateway, data))
    expected = [answer_at(gateway, postgres_proxy, request, UNKNOWN_DOMAIN, names) for _, request in requests]
    assert len(requests) >= FEWEST_CALLS

    for ending in ENDINGS:
        end(databases, globex, ending)
        answers = [answer_at(gateway, postgres_proxy, request, globex.custom_host, names) for _, request in requests]
        with subtests.test(ending):
            assert differences(requests, expected, answers, ending) == []
