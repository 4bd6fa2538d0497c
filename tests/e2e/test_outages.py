"""A store goes away under the deployed stack, and comes back."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from scripts.stack import clickhouse, postgres, processes
from tests.e2e.conftest import STACK_FOLDER, Provision
from tests.e2e.deployed import Api, Organization, Stack
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


def test_without_clickhouse_events_are_taken_and_reports_come_back_later(
    stack: Stack, api: Api, acme: Organization
) -> None:
    with away(clickhouse.NAME):
        assert api.post("/events", acme.write_key, {"events": [EVENT]}).status == 200
        usage = api.get("/usage", acme.secret_key)
        assert (usage.status, usage.document["code"]) == (503, "unavailable")
        assert usage.headers["retry-after"] == "2"
    assert stack.stored(acme.id) in {0, 1}  # load tries again when the message is visible again
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
