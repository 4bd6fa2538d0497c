"""Deletion on the deployed stack: an organization is erased while its devices keep sending."""

import base64
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.e2e.conftest import STACK_FOLDER, Provision
from tests.e2e.deployed import Answer, Api, Organization, Stack, refusal_of, wait_for
from tests.e2e.test_limits import event

ERASURE_WAIT_SECONDS = 600.0  # only a failure waits so long
EVENTS = 200


def delete(stack: Stack, api: Api, organization: Organization) -> Answer:
    body = json.dumps({"reason": "The contract has ended."}).encode()
    return api.call("DELETE", f"/organizations/{organization.id}", stack.platform_key, body=body)


def restore(stack: Stack, api: Api, organization: Organization) -> Answer:
    return api.post(f"/organizations/{organization.id}/restore", stack.platform_key, {})


def certificate_of(stack: Stack, api: Api, organization: Organization, *, is_complete: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
    """Return the certificate of the organization's erasure as soon as it is complete."""
    deadline = time.monotonic() + ERASURE_WAIT_SECONDS
    while True:
        answer = api.get(f"/organizations/{organization.id}/deletion-certificate", stack.platform_key)
        if (answer.status == 200 and is_complete(answer.document)) or time.monotonic() > deadline:
            assert answer.status == 200, answer.document
            return answer.document
        time.sleep(1)


@contextmanager
def sending_devices(api: Api, organization: Organization) -> Iterator[Counter[int]]:
    """Let two devices send while the block runs, and yield the number of answers by status."""
    statuses: Counter[int] = Counter()
    is_over = Event()

    def send(device: int) -> None:
        number = 0
        while not is_over.wait(0.4):
            number += 1
            events = [event(EVENTS + 1_000_000 * device + number)]
            statuses[api.post("/events", organization.write_key, {"events": events}).status] += 1

    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(send, device) for device in (1, 2)]
        try:
            yield statuses
        finally:
            is_over.set()
        for each in sending:
            each.result()


def executions_of(stack: Stack, organization: Organization) -> dict[str, Any]:
    """Return status and history of the executions of the organization's deletions, by name."""
    client = stack.client("stepfunctions")
    found = client.list_executions(stateMachineArn=stack.physical_id("DeleteOrganization"))["executions"]
    return {
        each["name"]: (each["status"], client.get_execution_history(executionArn=each["executionArn"])["events"])
        for each in found
        if organization.id in each["name"]
    }


@pytest.fixture
def public_key(stack: Stack) -> EllipticCurvePublicKey:
    kms = stack.client("kms")
    key = load_der_public_key(kms.get_public_key(KeyId=stack.physical_id("SigningKey"))["PublicKey"])
    assert isinstance(key, EllipticCurvePublicKey)
    return key


def test_deleted_organization_is_restored_or_erased_alone(
    stack: Stack, api: Api, acme: Organization, provision: Provision, public_key: EllipticCurvePublicKey
) -> None:
    name = f"globex-{secrets.token_hex(6)}"
    globex, initech = provision(name, "growth"), provision("initech", "starter")
    for each in (acme, globex, initech):
        answer = api.post("/events", each.write_key, {"events": [event(number) for number in range(EVENTS)]})
        assert (answer.status, answer.document["accepted"]) == (200, EVENTS)
    stack.wait_for_stored(globex.id, EVENTS)

    require_restorable(stack, api, globex)
    assert delete(stack, api, initech).status == 202
    assert restore(stack, api, initech).status == 200

    with sending_devices(api, globex) as statuses:
        assert wait_for(lambda: statuses[200], 3) >= 3
        assert delete(stack, api, globex).status == 202
        stack.invoke("Sweep")
        certificate = certificate_of(stack, api, globex, is_complete=lambda document: document["counted_again"])

    assert set(statuses) <= {200, 401, 403}
    require_valid(certificate, public_key)
    require_erased(stack, api, globex, name)
    assert stack.count_stored(acme.id) == stack.count_stored(initech.id) == EVENTS
    assert api.get("/usage", initech.secret_key).status == 200


def require_restorable(stack: Stack, api: Api, globex: Organization) -> None:
    """Require that a deletion is idempotent, refuses the organization's keys, and can be undone."""
    deleted = delete(stack, api, globex)
    assert (deleted.status, deleted.document["status"]) == (202, "deleted")
    assert delete(stack, api, globex).document == deleted.document
    assert refusal_of(api.get("/usage", globex.secret_key)) == (403, "organization_inactive")
    assert api.post("/track", globex.write_key, {"event": "Opened", "anonymousId": "d"}).status == 403

    restored = restore(stack, api, globex)

    assert (restored.status, restored.document["status"]) == (200, "active")
    assert api.get("/usage", globex.secret_key).document["quotas"]["events"]["used"] == EVENTS


def require_valid(certificate: Any, public_key: EllipticCurvePublicKey) -> None:  # noqa: ANN401 - JSON
    """Require that both counts are zero and signed."""
    assert certificate["is_valid"] is True
    for each in (certificate, *certificate["counted_again"]):
        assert not any(rows for counts in each["certificate"]["counts"].values() for rows in counts.values())
        public_key.verify(base64.b64decode(each["signature"]), each["text"].encode(), ECDSA(hashes.SHA256()))


def require_erased(stack: Stack, api: Api, organization: Organization, name: str) -> None:
    """Require that only a remnant is left, and that no history or log has the *name*."""
    assert stack.count_stored(organization.id) == stack.count_stored(organization.id, table="held_events") == 0
    assert refusal_of(api.get(f"/organizations/{organization.id}", stack.platform_key)) == (410, "erased")
    executions = executions_of(stack, organization)
    names = {f"{organization.id}-1-1", f"{organization.id}-2-1"}
    assert {each: status for each, (status, _) in executions.items()} == dict.fromkeys(names, "SUCCEEDED")
    assert name not in str(executions)
    assert name not in (STACK_FOLDER / "log" / "aws.log").read_text(errors="replace")

    stack.invoke("Sweep")

    subjects = [each["Subject"] for each in stack.mail() if f"admin@{name}.example" in str(each)]
    assert subjects.count(f"{name.title()} will be deleted") == 2  # it was deleted twice
    assert subjects.count("Your organization's data was erased") == 1
