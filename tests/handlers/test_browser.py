"""The visitors of a shop lose no call of Segment's browser SDK in Chromium."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount
from tests.handlers.clock import StoppedClock
from tests.handlers.function_server import serving
from tests.handlers.functions import Function, Start
from tests.handlers.queues import events_in
from tests.handlers.requests import answer_of
from tests.handlers.sent_events import settings_request

VISITORS, CALLS = 200, 3


@pytest.fixture
def ingest(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("ingest")
    clock.stop(function)
    return function


def test_200_visitors_within_one_minute_lose_no_call_on_starter(
    ingest: Function, aws: AwsAccount, acme: Provisioned, node: tuple[str, Path], tmp_path: Path
) -> None:
    """The clock of the rate limit stands still, so all requests lie within one minute of the bucket."""
    program, folder = node
    methods: Counter[str] = Counter()

    with serving(ingest, methods) as url:
        command = [program, "visitors.mjs", url, acme.write_key.text, str(VISITORS)]
        variables = os.environ | {"TMPDIR": str(tmp_path)}
        sent = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)

    assert sent.returncode == 0, sent.stderr
    assert Counter(json.loads(sent.stdout)) == {200: VISITORS * CALLS}
    rows = events_in(aws.queue_url)
    assert len({row.event_id for row in rows}) == len(rows) == VISITORS * CALLS
    assert set(Counter(row.device_id for row in rows).values()) == {CALLS}
    assert Counter(row.event_name for row in rows)["Order Completed"] == VISITORS

    # Each visitor also reads the SDK's settings. A browser sends a preflight, because the SDK sends `Authorization`.
    assert (methods["GET"], methods["POST"]) == (VISITORS, VISITORS * CALLS)
    assert methods["OPTIONS"] >= CALLS
    left = answer_of(ingest(settings_request(acme.write_key.text))).headers["ratelimit"]
    assert left.startswith(f'"rpm";r={1_000 - VISITORS * (CALLS + 1) - 1};')
