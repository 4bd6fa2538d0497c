"""Every route refuses malformed, forged and dead credentials, without a hint about keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import jwt
import pytest

from tenancy.rules.keys.api_keys import KeyType, generate_key
from tests.given import Servers
from tests.isolation.proof.attack.calls import Call, document_in, find_successful_call, request_for, with_document
from tests.isolation.proof.attack.gateway import GatewayRequest, LocalGateway
from tests.isolation.proof.attack.malformed_credentials import Forger, HeaderValues, malformed_credentials
from tests.isolation.proof.leaks.output import CapturedOutput, leaks_in_output
from tests.isolation.proof.normalization import normalize
from tests.isolation.proof.proof_data import (
    ADMIN_ROLE,
    ANONYMOUS_KIND,
    INVALIDATE_KEY,
    OPERATOR_KIND,
    Credential,
    ProofData,
    ProofOrganization,
)
from tests.isolation.proof.report import ProofReport

FEWEST_CREDENTIALS = 60
CLIENT_ERRORS = {400, 401, 404, 413, 422}


@pytest.fixture
def forger(data: ProofData, servers: Servers) -> Forger:
    admin = data.credential(ADMIN_ROLE, data.organizations[0].organization_id)
    assert admin.authorization is not None
    claims = jwt.decode(admin.authorization.partition(" ")[2], options={"verify_signature": False})
    return Forger(servers.credentials.signing_key, claims)


@pytest.fixture
def values(data: ProofData, forger: Forger) -> HeaderValues:
    acme, globex, _ = (own.organization_id for own in data.organizations)
    secret, write = data.credential("secret key", acme).key, data.credential("write key", acme).key
    assert secret is not None
    assert write is not None
    foreign = f"Bearer {forger.with_claims(organization_id=str(globex))}"
    return {**malformed_credentials(forger, secret, write), "another organization's id": (foreign,)}


def find_calls(gateway: LocalGateway, data: ProofData) -> list[Call]:
    """Find for each route that is not public a call that succeeds with a valid credential.

    It is no fixture: if a route has lost its authorizer, the test fails here, and a failed fixture proves nothing.
    """
    own = data.organizations[0]
    anonymous, operator = data.credential(ANONYMOUS_KIND, None), data.credential(OPERATOR_KIND, None)
    valid = [*data.credentials_of(own.organization_id), operator]
    private = [route for route in gateway.routes if not find_successful_call(gateway, route, [anonymous], own)]
    found = {route.name: find_successful_call(gateway, route, valid, own) for route in private}
    assert [name for name, pair in found.items() if pair is None] == []
    return [pair[0] for pair in found.values() if pair]


def test_malformed_credentials_are_refused(
    gateway: LocalGateway,
    forger: Forger,
    values: HeaderValues,
    data: ProofData,
    output: CapturedOutput,
    report: ProofReport,
    subtests: pytest.Subtests,
) -> None:
    assert len(values) >= FEWEST_CREDENTIALS
    calls = find_calls(gateway, data)
    is_valid_token_accepted = _is_accepted(gateway, calls, data, forger.token())
    output.take_lines()

    refusals = _send_all(gateway, calls, values, data, all_calls=report.is_full)

    report.sections["malformed credentials"] = {
        "credentials": len(values),
        "requests": refusals.requests,
        "faults (5xx)": refusals.faults,
    }
    with subtests.test("an unchanged token of the forger is accepted"):
        assert is_valid_token_accepted
    with subtests.test("no answer is a 5xx"):
        assert refusals.faults == []
    with subtests.test("every status is a client error"):
        assert refusals.unexpected == []
    with subtests.test("no log line shows a credential"):
        assert leaks_in_output(output.take_lines(), data.canaries, []) == []


def test_dead_keys_are_answered_like_unknown_keys(
    gateway: LocalGateway, data: ProofData, subtests: pytest.Subtests
) -> None:
    acme = data.organizations[0]
    calls = [call for call in find_calls(gateway, data) if call.route.reads_authorization]
    for key_type, name in ((KeyType.SECRET, "secret key"), (KeyType.WRITE, "write key")):
        key = generate_key(key_type)
        unknown = Credential(kind="unknown", owner=None, authorization=f"Bearer {key.text}", key=key)
        dead = [data.credential(f"{state} {name}", acme.organization_id) for state in INVALIDATE_KEY]
        for call in calls:
            with subtests.test(key=name, call=call.name):
                answers = {_answer(gateway, call, credential, acme) for credential in (unknown, *dead)}

                assert len(answers) == 1


def _answer(gateway: LocalGateway, call: Call, credential: Credential, own: ProofOrganization) -> tuple[int, str]:
    """Return status and text, with a placeholder for the credential's key."""
    response = gateway.send(request_for(call, credential, own))
    placeholders = {credential.key.text: "<key>"} if credential.key else {}
    return response.status, normalize(response.text, placeholders)


def _is_accepted(gateway: LocalGateway, calls: list[Call], data: ProofData, token: str) -> bool:
    credential = Credential(kind="token", owner=None, authorization=f"Bearer {token}")
    requests = [request_for(call, credential, data.organizations[0]) for call in calls if call.route.has_authorizer]
    return any(gateway.send(request).is_success for request in requests)


@dataclass(slots=True)
class _Refusals:
    requests: int = 0
    faults: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


def _send_all(
    gateway: LocalGateway, calls: list[Call], values: HeaderValues, data: ProofData, *, all_calls: bool
) -> _Refusals:
    """Send each credential with all calls, or with one call with and one without an authorizer."""
    refusals = _Refusals()
    for number, (name, authorization) in enumerate(values.items()):
        for call in calls if all_calls else _two_calls(calls, number):
            for place, request in _requests(call, data, authorization):
                response = gateway.send(request)
                finding = f"{name} in the {place}, {call.name}: {response.status}"
                refusals.requests += 1
                if response.is_fault:
                    refusals.faults.append(finding)
                if response.status not in ({401} if call.route.has_authorizer else CLIENT_ERRORS):
                    refusals.unexpected.append(finding)
    return refusals


def _two_calls(calls: list[Call], number: int) -> list[Call]:
    groups = [[call for call in calls if call.route.has_authorizer is guarded] for guarded in (True, False)]
    return [group[number % len(group)] for group in groups]


def _requests(call: Call, data: ProofData, values: tuple[str, ...]) -> Iterator[tuple[str, GatewayRequest]]:
    """Return a request for each place where the route may read a credential, with the place."""
    request = request_for(call, data.credential(ANONYMOUS_KIND, None), data.organizations[0])
    headers = (*request.headers, *(("Authorization", value) for value in values))
    yield "header", replace(request, headers=headers)
    if call.route.has_authorizer:
        return
    if isinstance(document := document_in(request), dict):
        yield "body", with_document(request, call, {**document, "writeKey": values[-1]})
    if request.parameters:
        yield "path", replace(request, parameters=dict.fromkeys(request.parameters, values[-1]))
