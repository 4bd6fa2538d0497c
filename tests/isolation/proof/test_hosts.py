"""Answers name configured hosts, never one that the request names. The base path and a trailing slash never matter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request that succeeds with *credential*, and the *status* of a repetition.

    *own_host* is the custom domain of the organization that it is for.
    """

    request: GatewayRequest
    credential: Credential
    status: int
    own_host: str

    @property
    def name(self) -> str:
        return self.request.route.name


def successful_requests(gateway: LocalGateway, data: ProofData) -> Iterator[Served]:
    """Yield a request that succeeds for each route of the template."""
    own = data.organizations[0]
    credentials = (*data.credentials_of(own.organization_id), *data.credentials_of(None))
    for route in gateway.routes:
        found = find_successful_call(gateway, route, credentials, own)
        assert found is not None, route.name
        call, credential = found
        request = request_for(call, credential, own)
        repeated = send_in_any_status(gateway, request, credential)
        yield Served(request=request, credential=credential, status=repeated.status, own_host=own.custom_host)


def is_served_alike(gateway: LocalGateway, served: Served, changed: GatewayRequest) -> bool:
    """Tell whether *changed* has the status of the request that succeeds."""
    answer = send_in_any_status(gateway, changed, served.credential)
    return answer.status == served.status and NO_ROUTE not in answer.text


def with_hostile_host(request: GatewayRequest) -> GatewayRequest:
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "host")
    return replace(request, headers=(*HOST_HEADERS, *kept))


def with_host(request: GatewayRequest, host: str) -> GatewayRequest:
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "host")
    return replace(request, headers=(*kept, ("Host", host)))


def without_credential(request: GatewayRequest) -> GatewayRequest:
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != "authorization"))


def echoes(gateway: LocalGateway, served: Served) -> Iterator[str]:
    hostile = with_hostile_host(served.request)
    malformed = replace(hostile, body=b"{", query=(*hostile.query, ("cursor", "x")))
    for each in (hostile, without_credential(hostile), malformed):
        answer = gateway.send(each)
        if HOSTILE in answer.text:
            yield f"{served.name}: {answer.status}"


def refused_hosts(gateway: LocalGateway, served: Served) -> Iterator[str]:
    if not is_served_alike(gateway, served, with_hostile_host(served.request)):
        yield served.name


def refused_slashes(gateway: LocalGateway, served: Served) -> Iterator[str]:
    if not is_served_alike(gateway, served, replace(served.request, has_trailing_slash=True)):
        yield served.name


def visible_answer(gateway: LocalGateway, request: GatewayRequest, credential: Credential) -> tuple[int, str]:
    """Return status, headers and body of the answer, without new ids, keys and times."""
    answer = send_in_any_status(gateway, request, credential)
    return answer.status, normalize(answer.text)


def different_base_paths(gateway: LocalGateway, served: Served) -> Iterator[str]:
    """Behind a domain of API Gateway the path of an event has the base path, at the stage it has none."""
    request = served.request
    wrong = replace(request, parameters=dict.fromkeys(request.parameters, "x"))
    for each in (request, wrong) if request.parameters else (request,):
        at_stage, behind_domain = (
            visible_answer(gateway, replace(each, base_path=path), served.credential) for path in ("", STAGE_PREFIX)
        )
        if at_stage != behind_domain:
            yield f"{served.name}: {at_stage} and {behind_domain}"


def known_double_base_paths(gateway: LocalGateway, served: Served) -> Iterator[str]:
    """API Gateway has no such route. A function that gets the path nevertheless does not know it either."""
    twice = replace(served.request, base_path=f"{STAGE_PREFIX}{STAGE_PREFIX}")
    answer = send_in_any_status(gateway, twice, served.credential)
    if served.request.route.method != "OPTIONS" and answer.status not in {401, 404}:  # 401: no route and no caller
        yield f"{served.name}: {answer.status}"


def refused_own_domains(gateway: LocalGateway, served: Served) -> Iterator[str]:
    if served.credential.owner is None:
        return
    request, host = served.request, served.own_host
    at_domain = with_host(request, host)
    forwarded = replace(request, headers=(*request.headers, ("X-Forwarded-Host", host.upper())))
    for changed in (at_domain, forwarded):
        if not is_served_alike(gateway, served, changed):
            yield served.name


type Find = Callable[[LocalGateway, Served], Iterator[str]]

RULES: dict[str, Find] = {
    "the base path of a domain never matters": different_base_paths,
    "no answer names a host of the request": echoes,
    "a hostile host never matters": refused_hosts,
    "a trailing slash never matters": refused_slashes,
    "the base path counts once": known_double_base_paths,
    "the own custom domain agrees": refused_own_domains,
}


@pytest.mark.exhaustive
def test_hosts_slashes_and_base_paths_never_matter(
    gateway: LocalGateway, data: ProofData, subtests: pytest.Subtests
) -> None:
    found: dict[str, list[str]] = {rule: [] for rule in RULES}

    for served in successful_requests(gateway, data):
        for rule, find in RULES.items():
            found[rule] += find(gateway, served)

    for rule, findings in found.items():
        with subtests.test(rule):
            assert findings == []
