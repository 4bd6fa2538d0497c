"""An organization ends in the deployed stack: its state machine erases it while its devices go on sending."""

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
from tests.e2e.deployed import Answer, Api, Organization, Stack, wait_for
from tests.e2e.test_limits import event

ERASED_SECONDS = 150.0
EVENTS = 200


def delete(stack: Stack, api: Api, organization: Organization) -> Answer:
    body = json.dumps({"reason": "The contract has ended."}).encode()
    return api.call("DELETE", f"/organizations/{organization.id}", stack.platform_key, body=body)


def certificate_of(stack: Stack, api: Api, organization: Organization, *, is_enough: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
    deadline = time.monotonic() + ERASED_SECONDS
    while True:
        answer = api.get(f"/organizations/{organization.id}/deletion-certificate", stack.platform_key)
        if (answer.status == 200 and is_enough(answer.document)) or time.monotonic() > deadline:
            assert answer.status == 200, answer.document
            return answer.document
        time.sleep(1)


@contextmanager
def devices(api: Api, organization: Organization) -> Iterator[Counter[int]]:
    """Let two devices send for as long as the block lasts; yield how often which answer came."""
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
    """Return the executions of its deletions, by name, with their histories."""
    client = stack.session().client("stepfunctions", endpoint_url=stack.aws_endpoint_url)
    found = client.list_executions(stateMachineArn=stack.physical_id("DeleteOrganization"))["executions"]
    return {
        each["name"]: (each["status"], client.get_execution_history(executionArn=each["executionArn"])["events"])
        for each in found
        if organization.id in each["name"]
    }


def require_gone(stack: Stack, api: Api, organization: Organization, name: str) -> None:
    """Nothing but a tombstone answers, and nothing that is kept of it says the name."""
    gone = api.get(f"/organizations/{organization.id}", stack.platform_key)
    assert (gone.status, gone.document["code"]) == (410, "erased")
    executions = executions_of(stack, organization)
    assert {each: status for each, (status, _) in executions.items()} == {
        f"{organization.id}-1-1": "SUCCEEDED", f"{organization.id}-2-1": "SUCCEEDED",
    }  # fmt: skip
    assert name not in str(executions)
    assert name not in (STACK_FOLDER / "log" / "aws.log").read_text(errors="replace")
    stack.invoke("Sweep")
    subjects = [each["Subject"] for each in stack.mail() if f"admin@{name}.example" in str(each)]
    assert subjects.count(f"{name.title()} will be deleted") == 2  # it was, twice
    assert subjects.count("Your organization's data was erased") == 1


@pytest.fixture
def public_key(stack: Stack) -> EllipticCurvePublicKey:
    kms = stack.session().client("kms", endpoint_url=stack.aws_endpoint_url)
    key = load_der_public_key(kms.get_public_key(KeyId=stack.physical_id("SigningKey"))["PublicKey"])
    assert isinstance(key, EllipticCurvePublicKey)
    return key


def test_a_deleted_organization_comes_back_or_is_erased_and_nobody_else_is_touched(
    stack: Stack, api: Api, acme: Organization, provision: Provision, public_key: EllipticCurvePublicKey
) -> None:
    name = f"globex-{secrets.token_hex(6)}"
    globex, initech = provision(name, "growth"), provision("initech", "starter")
    for each in (acme, globex, initech):
        answer = api.post("/events", each.write_key, {"events": [event(number) for number in range(EVENTS)]})
        assert (answer.status, answer.document["accepted"]) == (200, EVENTS)
    assert wait_for(lambda: stack.stored(globex.id), EVENTS) == EVENTS

    deleted = delete(stack, api, globex)
    assert (deleted.status, deleted.document["status"]) == (202, "deleted")
    assert delete(stack, api, globex).document == deleted.document
    refused = api.get("/usage", globex.secret_key)
    assert (refused.status, refused.document["code"]) == (403, "organization_inactive")
    assert api.post("/track", globex.write_key, {"event": "Opened", "anonymousId": "d"}).status == 403
    restored = api.post(f"/organizations/{globex.id}/restore", stack.platform_key, {})
    assert (restored.status, restored.document["status"]) == (200, "active")
    assert api.get("/usage", globex.secret_key).document["quotas"]["events"]["used"] == EVENTS

    assert delete(stack, api, initech).status == 202
    assert api.post(f"/organizations/{initech.id}/restore", stack.platform_key, {}).status == 200

    with devices(api, globex) as statuses:
        assert wait_for(lambda: statuses[200], 3) >= 3
        assert delete(stack, api, globex).status == 202
        stack.invoke("Sweep")
        found = certificate_of(stack, api, globex, is_enough=lambda document: document["counted_again"])
    assert set(statuses) <= {200, 401, 403}
    assert found["is_valid"] is True
    for each in (found, *found["counted_again"]):
        assert not any(rows for counts in each["certificate"]["counts"].values() for rows in counts.values())
        public_key.verify(base64.b64decode(each["signature"]), each["text"].encode(), ECDSA(hashes.SHA256()))
    for table in ("events", "held_events"):
        assert stack.stored(globex.id, table=table) == 0
    assert stack.stored(acme.id) == stack.stored(initech.id) == EVENTS
    assert api.get("/usage", initech.secret_key).status == 200
    require_gone(stack, api, globex, name)
