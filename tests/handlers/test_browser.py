"""Segment's browser SDK in Chromium loses no calls but those that docs/sdks.md names."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases
from tests.handlers.client_programs import run_client
from tests.handlers.clock import StoppedClock
from tests.handlers.function_server import serving
from tests.handlers.functions import Function, Start
from tests.handlers.queues import delivery_of, events_in, messages_in
from tests.handlers.requests import answer_of
from tests.handlers.sdk_snippets import BROWSER, list_snippets, with_address
from tests.handlers.sent_events import settings_request

VISITORS, CALLS = 50, 3
WITHIN_ONE_MINUTE = 200  # visitors that docs/sdks.md promises on the smallest tier
LIMIT = 1_000
CLOSED_CALLS = 4
SINGLE, BATCH, EARLY = (each for each in list_snippets() if each.language == BROWSER)
STORED = "SELECT event_id FROM events FINAL WHERE organization_id = {organization_id:UUID}"

type RunNode = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ClosedPage:
    """A page that is closed.

    *kept* are the calls that the SDK keeps for the next visit, and *handled* those that the API handles at last, both
    None if that depends on the moment.
    """

    mode: str
    scenario: str
    closing: str
    kept: int | None
    handled: int | None


# In mode "collecting" no timer sends the batch before the page is closed.
COLLECTING = BATCH.setup.replace("timeout: 1000", "timeout: 3600000")
SETUPS = {"single": SINGLE.setup, "batch": BATCH.setup, "collecting": COLLECTING, "early": EARLY.setup}
# docs/sdks.md, "Closed pages", states these results.
CLOSED_PAGES = [
    ClosedPage("single", "unanswered", "tab", CLOSED_CALLS, CLOSED_CALLS),
    ClosedPage("single", "unanswered", "link", CLOSED_CALLS, CLOSED_CALLS),
    ClosedPage("single", "awaited", "link", 0, CLOSED_CALLS),
    ClosedPage("early", "awaited, no settings", "tab", 0, CLOSED_CALLS),
    ClosedPage("batch", "unanswered", "tab", 0, CLOSED_CALLS),
    ClosedPage("collecting", "collected", "tab", 0, CLOSED_CALLS),
    ClosedPage("collecting", "collected", "link", 0, CLOSED_CALLS),
    ClosedPage("collecting", "hidden", "tab", 0, CLOSED_CALLS),
    ClosedPage("single", "at once", "tab", None, None),
    ClosedPage("single", "at once", "link", None, None),
    ClosedPage("batch", "at once", "tab", 0, None),
    ClosedPage("batch", "at once", "link", 0, None),
    ClosedPage("early", "at once", "tab", None, None),
    ClosedPage("single", "offline", "tab", CLOSED_CALLS, CLOSED_CALLS),
    ClosedPage("batch", "offline", "tab", 0, 0),
    ClosedPage("collecting", "collected, large", "tab", 0, 0),
    ClosedPage("single", "before settings", "tab", 0, 0),
    ClosedPage("batch", "before settings", "tab", 0, 0),
]


@pytest.fixture
def ingest(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("ingest")
    clock.stop(function)
    return function


@pytest.fixture
def run_node(node: tuple[str, Path]) -> RunNode:
    """Run a program with its arguments, and return its report."""
    program, folder = node

    def run(*command: str, given: object = None) -> Any:  # noqa: ANN401 - JSON
        return json.loads(run_client([program, *command], folder, given=json.dumps(given)))

    return run


@pytest.mark.exhaustive
def test_200_visitors_a_minute_fit_into_the_limit_of_starter(
    ingest: Function, aws: AwsAccount, acme: Provisioned, run_node: RunNode
) -> None:
    """The clock of the rate limit stands still, so all requests lie within one minute of the bucket.

    Each visitor counts equally. So a quarter of the visitors shows that all of them fit.
    """
    methods: Counter[str] = Counter()

    with serving(ingest, methods) as url:
        statuses = run_node("visitors.mjs", url, acme.write_key.text, str(VISITORS))

    assert Counter(statuses) == {200: VISITORS * CALLS}
    rows = events_in(aws.queue_url)
    assert len({row.event_id for row in rows}) == len(rows) == VISITORS * CALLS
    assert set(Counter(row.device_id for row in rows).values()) == {CALLS}
    assert Counter(row.event_name for row in rows)["Order Completed"] == VISITORS

    # Each visitor also reads the SDK's settings. A browser sends a preflight, because the SDK sends `Authorization`.
    assert (methods["GET"], methods["POST"]) == (VISITORS, VISITORS * CALLS)
    assert methods["OPTIONS"] >= CALLS
    left = answer_of(ingest(settings_request(acme.write_key.text))).headers["ratelimit"]
    assert left.startswith(f'"rpm";r={LIMIT - VISITORS * (CALLS + 1) - 1};')
    assert WITHIN_ONE_MINUTE * (CALLS + 1) <= LIMIT


@pytest.mark.exhaustive
def test_closed_pages_lose_only_the_documented_calls(
    start: Start, ingest: Function, aws: AwsAccount, databases: Databases, acme: Provisioned, run_node: RunNode
) -> None:
    pages = [
        {
            "setup": with_address(SETUPS[page.mode], "{api}", acme.write_key.text),
            "scenario": page.scenario,
            "closing": page.closing,
        }
        for page in CLOSED_PAGES
    ]

    with serving(ingest) as url:
        found = run_node("closed_pages.mjs", url, str(CLOSED_CALLS), given=pages)

    for page, calls in zip(CLOSED_PAGES, found, strict=True):
        handled = set(calls["received"])
        assert len(calls["kept"]) == page.kept or page.kept is None, page
        assert len(handled) == page.handled or page.handled is None, page
        assert set(calls["kept"]) <= handled, page  # at the next visit at the latest
    received = [each for calls in found for each in calls["received"]]
    assert start("load")(delivery_of(messages_in(aws.queue_url))) == {"batchItemFailures": []}
    rows = databases.clickhouse.query(STORED, parameters={"organization_id": str(acme.organization.id)}).result_rows
    assert sorted(event_id for (event_id,) in rows) == sorted(set(received))
    assert len(received) > len(rows)  # calls were sent again
