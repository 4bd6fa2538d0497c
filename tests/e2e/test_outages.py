"""A store of the deployed stack stops and starts again."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from scripts.stack import clickhouse, postgres, processes
from tests.e2e.conftest import STACK_FOLDER, Provision
from tests.e2e.deployed import Api, Organization, Stack, refusal_of
from tests.given import ROOT

pytestmark = pytest.mark.alone

EVENT = {
    "event_type": "open",
    "event_name": "Opened",
    "device_id": "device",
    "platform": "web",
    "event_timestamp": datetime.now(UTC).isoformat(),
}


@contextmanager
def stopped(part: str) -> Iterator[None]:
    """Stop a part of the stack, and start it again as `make up` does."""
    processes.stop(STACK_FOLDER, part)
    try:
        yield
    finally:
        subprocess.run([sys.executable, "-m", "scripts.stack", "up"], cwd=ROOT, check=True, capture_output=True)


@contextmanager
def short_visibility(stack: Stack) -> Iterator[None]:
    """Let SQS deliver a message again after seconds instead of the template's minutes."""
    sqs = stack.client("sqs")
    url = stack.physical_id("EventsQueue")
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def require_unavailable(api: Api, organization: Organization) -> None:
    answer = api.get("/usage", organization.secret_key)
    assert refusal_of(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"


def test_events_are_accepted_while_clickhouse_is_stopped(stack: Stack, api: Api, acme: Organization) -> None:
    with short_visibility(stack), stopped(clickhouse.NAME):
        assert api.post("/events", acme.write_key, {"events": [EVENT]}).status == 200
        require_unavailable(api, acme)

    stack.wait_for_stored(acme.id, 1)
    assert api.get("/usage", acme.secret_key).status == 200


def test_requests_are_answered_503_while_postgresql_is_stopped(
    api: Api, acme: Organization, provision: Provision
) -> None:
    with stopped(postgres.NAME):
        require_unavailable(api, acme)

    assert api.get("/usage", acme.secret_key).status == 200
    assert provision("globex", "growth").id
