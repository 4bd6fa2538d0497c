"""Answers name configured hosts, never one that the request names. The base path and a trailing slash never matter."""

from collections.abc import Iterator
from dataclasses import replace

from tenancy.gateway.http import STAGE_PREFIX
from tests.isolation.proof.attack.calls import find_successful_call, request_for, send_in_any_status
from tests.isolation.proof.attack.gateway import GatewayRequest, LocalGateway
from tests.isolation.proof.normalization import normalize
from tests.isolation.proof.proof_data import Credential, ProofData

NO_ROUTE = "No route has this method and path."
HOSTILE = "hostile.example.net"
HOST_HEADERS = (
    ("Host", HOSTILE),
    ("X-Forwarded-Host", HOSTILE),
    ("X-Forwarded-Server", HOSTILE),
    ("X-Original-Host", HOSTILE),
    ("X-Host", HOSTILE),
    ("Forwarded", f"host={HOSTILE};proto=https"),
    ("X-Original-URL", f"https://{HOSTILE}/v1/usage"),
    ("Origin", f"https://{HOSTILE}"),
    ("Referer", f"https://{HOSTILE}/"),
    ("Via", f"1.1 {HOSTILE}"),
)


def successful_requests(gateway: LocalGateway, data: ProofData) -> Iterator[tuple[GatewayRequest, Credential]]:
    """Yield a request that succeeds for each route of the template."""
    own = data.organizations[0]
    credentials = (*data.credentials_of(own.organization_id), *data.credentials_of(None))
    for route in gateway.routes:
        found = find_successful_call(gateway, route, credentials, own)
        assert found is not None, route.name
        call, credential = found
        yield request_for(call, credential, own), credential


def is_served_alike(
    gateway: LocalGateway, request: GatewayRequest, changed: GatewayRequest, credential: Credential
) -> bool:
    """Tell whether *changed* has the status of *request*, which succeeded once before."""
    repeated, answer = (send_in_any_status(gateway, each, credential) for each in (request, changed))
    return answer.status == repeated.status and NO_ROUTE not in answer.text


def with_hostile_host(request: GatewayRequest) -> GatewayRequest:
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "host")
    return replace(request, headers=(*HOST_HEADERS, *kept))


def with_host(request: GatewayRequest, host: str) -> GatewayRequest:
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "host")
    return replace(request, headers=(*kept, ("Host", host)))


def without_credential(request: GatewayRequest) -> GatewayRequest:
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != "authorization"))


def test_no_answer_names_a_host_of_the_request(gateway: LocalGateway, data: ProofData) -> None:
    refused, echoes = [], []

    for request, credential in successful_requests(gateway, data):
        hostile = with_hostile_host(request)
        malformed = replace(hostile, body=b"{", query=(*hostile.query, ("cursor", "x")))
        if not is_served_alike(gateway, request, hostile, credential):
            refused.append(request.route.name)
        answers = [gateway.send(each) for each in (hostile, without_credential(hostile), malformed)]
        echoes += [(request.route.name, answer.status) for answer in answers if HOSTILE in answer.text]

    assert echoes == []
    assert refused == []


def test_trailing_slash_never_matters(gateway: LocalGateway, data: ProofData) -> None:
    refused = [
        request.route.name
        for request, credential in successful_requests(gateway, data)
        if not is_served_alike(gateway, request, replace(request, has_trailing_slash=True), credential)
    ]

    assert refused == []


def visible_answer(gateway: LocalGateway, request: GatewayRequest, credential: Credential) -> tuple[int, str]:
    """Return status, headers and body of the answer, without new ids, keys and times."""
    answer = send_in_any_status(gateway, request, credential)
    return answer.status, normalize(answer.text)


def test_base_path_of_a_domain_never_matters(gateway: LocalGateway, data: ProofData) -> None:
    """Behind a domain of API Gateway the path of an event has the base path, at the stage it has none."""
    different = []

    for request, credential in successful_requests(gateway, data):
        wrong = replace(request, parameters=dict.fromkeys(request.parameters, "x"))
        for each in (request, wrong) if request.parameters else (request,):
            at_stage, behind_domain = (
                visible_answer(gateway, replace(each, base_path=path), credential) for path in ("", STAGE_PREFIX)
            )
            if at_stage != behind_domain:
                different.append((each.route.name, at_stage, behind_domain))

    assert different == []


def test_base_path_counts_once(gateway: LocalGateway, data: ProofData) -> None:
    """API Gateway has no such route. A function that gets the path nevertheless does not know it either."""
    known = []

    for request, credential in successful_requests(gateway, data):
        answer = send_in_any_status(gateway, replace(request, base_path=f"{STAGE_PREFIX}{STAGE_PREFIX}"), credential)
        if request.route.method != "OPTIONS" and answer.status not in {401, 404}:  # 401: no route and no caller
            known.append(f"{request.route.name}: {answer.status}")

    assert known == []


def test_own_custom_domain_agrees(gateway: LocalGateway, data: ProofData) -> None:
    refused = []

    for request, credential in successful_requests(gateway, data):
        own = next((each for each in data.organizations if each.organization_id == credential.owner), None)
        if own is None:
            continue
        at_domain = with_host(request, own.custom_host)
        forwarded = replace(request, headers=(*request.headers, ("X-Forwarded-Host", own.custom_host.upper())))
        refused += [
            request.route.name
            for changed in (at_domain, forwarded)
            if not is_served_alike(gateway, request, changed, credential)
        ]

    assert refused == []
