"""A store goes away under the deployed stack, and comes back."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from scripts.stack import clickhouse, postgres, processes
from tests.e2e.conftest import STACK_FOLDER, Provision
from tests.e2e.deployed import Api, Organization, Stack, wait_for
from tests.given import ROOT

EVENT = {
    "event_type": "open",
    "event_name": "Opened",
    "device_id": "device",
    "platform": "web",
    "event_timestamp": datetime.now(UTC).isoformat(),
}


@contextmanager
def away(part: str) -> Iterator[None]:
    """Stop a part of the stack, and bring it back as `make up` would."""
    processes.stop(STACK_FOLDER, part)
    try:
        yield
    finally:
        subprocess.run([sys.executable, "-m", "scripts.stack", "up"], cwd=ROOT, check=True, capture_output=True)


@contextmanager
def short_visibility(stack: Stack) -> Iterator[None]:
    """Let a message that load could not store come again in seconds, not in the template's minutes."""
    sqs = stack.session().client("sqs", endpoint_url=stack.aws_endpoint_url)
    url = stack.physical_id("EventsQueue")
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def test_without_clickhouse_events_are_taken_and_stored_when_it_is_back(
    stack: Stack, api: Api, acme: Organization
) -> None:
    with short_visibility(stack), away(clickhouse.NAME):
        assert api.post("/events", acme.write_key, {"events": [EVENT]}).status == 200
        usage = api.get("/usage", acme.secret_key)
        assert (usage.status, usage.document["code"]) == (503, "unavailable")
        assert usage.headers["retry-after"] == "2"
    assert wait_for(partial(stack.stored, acme.id), 1) == 1
    assert api.get("/usage", acme.secret_key).status == 200


def test_without_postgresql_nobody_is_let_in_and_everybody_is_asked_to_come_back(
    api: Api, acme: Organization, provision: Provision
) -> None:
    with away(postgres.NAME):
        answer = api.get("/usage", acme.secret_key)
        assert (answer.status, answer.document["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "2"
    assert api.get("/usage", acme.secret_key).status == 200
    assert provision("globex", "growth").id
