"""A credential that proves nobody is answered in one way, whatever is wrong with it."""

from collections.abc import Iterator
from dataclasses import replace

import jwt
import pytest

from tenancy.rules.api_keys import KeyType, generate_key
from tests.given import Servers
from tests.isolation.proof.attack.attack import FAULTS, normal
from tests.isolation.proof.attack.calls import Call, document_in, find_working, request_of, with_document
from tests.isolation.proof.attack.gateway import Answer, Gateway, Request
from tests.isolation.proof.attack.malformed_credentials import Forger, Forms, malformed
from tests.isolation.proof.leaks.output import Output, wrong_in
from tests.isolation.proof.proof_data import END_KEY, Credential, Neighbours
from tests.isolation.proof.report import Report

LEAST_FORMS = 60
INPUT_ERRORS = {400, 401, 404, 413, 422}


@pytest.fixture
def forms(neighbours: Neighbours, servers: Servers) -> Forms:
    acme = neighbours.organizations[0].organization_id
    secret, write = neighbours.find("secret key", acme).key, neighbours.find("write key", acme).key
    assert secret is not None
    assert write is not None
    globex = str(neighbours.organizations[1].organization_id)
    forger = _forger(neighbours, servers)
    foreign = {"another organization's id": (f"Bearer {forger.with_claims(organization_id=globex)}",)}
    return malformed(forger, secret, write) | foreign


@pytest.fixture
def calls(gateway: Gateway, neighbours: Neighbours) -> list[Call]:
    """Return one call of each route that is not everybody's, which succeeds with a good credential."""
    own, nobody = neighbours.organizations[0], neighbours.find("nobody", None)
    good = [*neighbours.of(own.organization_id), neighbours.find("operator", None)]
    closed = [route for route in gateway.routes if not find_working(gateway, route, [nobody], own)]
    found = {route.name: find_working(gateway, route, good, own) for route in closed}
    assert [name for name, pair in found.items() if pair is None] == []
    return [pair[0] for pair in found.values() if pair]


def test_a_credential_that_proves_nobody_is_refused_in_one_way_and_never_a_fault(
    gateway: Gateway,
    calls: list[Call],
    forms: Forms,
    neighbours: Neighbours,
    output: Output,
    report: Report,
    servers: Servers,
    subtests: pytest.Subtests,
) -> None:
    with subtests.test("the forger signs what is right, so that its refusals mean something"):
        assert _succeeds(gateway, calls, neighbours, _forger(neighbours, servers).token())
    output.take()
    assert len(forms) >= LEAST_FORMS
    faults, wrong, tried = [], [], 0
    for number, (name, values) in enumerate(forms.items()):
        for call in calls if report.is_full else _rotated(calls, number):
            for place, request in _requests(call, neighbours, values):
                status, tried = gateway(request).status, tried + 1
                expected = {401} if call.route.is_guarded else INPUT_ERRORS
                faults += [f"{name} in the {place}, {call.name}: {status}"] if status in FAULTS else []
                wrong += [f"{name} in the {place}, {call.name}: {status}"] if status not in expected else []
    report.sections["malformed credentials"] = {"forms": len(forms), "requests": tried, "faults (5xx)": faults}
    with subtests.test("no malformed credential is a fault"):
        assert faults == []
    with subtests.test("every malformed credential is refused"):
        assert wrong == []
    with subtests.test("no log line repeats a credential"):
        assert wrong_in(output.take(), neighbours.canaries, set()) == []
    for key_type, name in ((KeyType.SECRET, "secret"), (KeyType.WRITE, "write")):
        for call in calls:
            with subtests.test("an unknown, a revoked and an expired key are answered alike", call=call.name):
                assert len(_answers_to_dead_keys(gateway, neighbours, call, key_type, name)) == 1


def _succeeds(gateway: Gateway, calls: list[Call], neighbours: Neighbours, token: str) -> bool:
    person = Credential(kind="a good token", owner=None, authorization=f"Bearer {token}")
    guarded = [call for call in calls if call.route.is_guarded]
    return any(gateway(request_of(call, person, neighbours.organizations[0])).is_success for call in guarded)


def _answers_to_dead_keys(
    gateway: Gateway, neighbours: Neighbours, call: Call, key_type: KeyType, name: str
) -> set[tuple[int, str]]:
    acme, unknown = neighbours.organizations[0], generate_key(key_type)
    stranger = Credential(kind="unknown", owner=None, authorization=f"Bearer {unknown.text}", key=unknown)
    dead = [neighbours.find(f"{end} {name} key", acme.organization_id) for end in END_KEY]
    return {_seen(gateway(request_of(call, each, acme)), each) for each in (stranger, *dead)}


def _seen(answer: Answer, credential: Credential) -> tuple[int, str]:
    return answer.status, normal(answer.text, {credential.key.text: "<key>"} if credential.key else {})


def _rotated(calls: list[Call], number: int) -> list[Call]:
    """Return one call that the authorizer guards, and one that it does not."""
    kinds = [[call for call in calls if call.route.is_guarded is guarded] for guarded in (True, False)]
    return [kind[number % len(kind)] for kind in kinds]


def _requests(call: Call, neighbours: Neighbours, values: tuple[str, ...]) -> Iterator[tuple[str, Request]]:
    """Return *call* with the credential wherever the route may look for one."""
    own = neighbours.organizations[0]
    request = request_of(call, neighbours.find("nobody", None), own)
    headers = (*request.headers, *(("Authorization", value) for value in values))
    yield "header", replace(request, headers=headers)
    if call.route.is_guarded:
        return
    if isinstance(document := document_in(request), dict):
        yield "body", with_document(request, call, {**document, "writeKey": values[-1]})
    if request.parameters:
        yield "path", replace(request, parameters=dict.fromkeys(request.parameters, values[-1]))


def _forger(neighbours: Neighbours, servers: Servers) -> Forger:
    admin = neighbours.find("super_admin", neighbours.organizations[0].organization_id)
    assert admin.authorization is not None
    claims = jwt.decode(admin.authorization.partition(" ")[2], options={"verify_signature": False})
    return Forger(servers.credentials.signing_key, claims)
