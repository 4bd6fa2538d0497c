"""Real SDKs, set up as docs/sdks.md says: each call that an SDK sends is stored once."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import segment.analytics

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import ROOT, AwsAccount, Databases
from tests.handlers.client_programs import run_client
from tests.handlers.function_server import serving
from tests.handlers.functions import Function, Start
from tests.handlers.queues import delivery_of, events_in, messages_in, rows_in
from tests.handlers.sdk_snippets import BROWSER, Snippet, list_snippets, with_address

SNIPPETS = list_snippets()
MANY = 20  # times that a program makes the calls of its snippet: several batches
REVENUE, CURRENCY = "9.99", "EUR"
# The type and name of the event for each kind of call in the snippets (docs/sdks.md, "Mapping").
EVENTS = {
    "identify": ("identify", "identify"),
    "track": ("track", "Order Completed"),
    "page": ("page", "Pricing"),
    "screen": ("screen", "Cart"),
    "group": ("group", "group"),
    "alias": ("alias", "alias"),
    "ingest": ("ai-tokens", "ai-tokens"),
}
WITH_REVENUE = {"track", "ai-tokens"}
# Packages of tests/node and pyproject.toml that are no SDKs.
TOOLS = {
    "@sparticuz/chromium",
    "axe-core",
    "jose",
    "oidc-provider",
    "playwright-core",
    "rate-limiter-flexible",
    "samlify",
    "typescript",
    "uplot",
}
PYTHON_SDKS = {"segment-analytics-python", "rudder-sdk-python"}
STORED = """
    SELECT event_id, event_type, event_name, toString(revenue), currency
    FROM events FINAL WHERE organization_id = {organization_id:UUID}
"""

type Run = Callable[[Snippet, int, set[int]], None]
type Stored = Callable[[], tuple[list[tuple[str, ...]], int]]


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


@pytest.fixture
def run(start: Start, ingest: Function, acme: Provisioned, node: tuple[str, Path]) -> Run:
    """Run a snippet with its calls made several times.

    The answers to the POST requests with the numbers *lost_answers* are lost.
    """

    def run_it(snippet: Snippet, times: int, lost_answers: set[int]) -> None:
        authorizer = start("authorizer") if snippet.sdk == "@openmeter/sdk" else None  # Segment's paths have none
        with serving(ingest, authorizer=authorizer, lost_answers=lost_answers) as url:
            host = "{api}" if snippet.language == BROWSER else url.removeprefix("http://")
            code = with_address(snippet.repeated(times), host, acme.write_key.text)
            assert _run(snippet, code, times, url, *node).get("otherHosts", []) == []

    return run_it


def _run(snippet: Snippet, code: str, times: int, url: str, program: str, folder: Path) -> dict[str, Any]:
    """Run *code* in a process of its own, and return its report, if it has one."""
    text = code
    if snippet.language == "python":
        command = [sys.executable, "-W", "error", "-"]
    elif snippet.language == BROWSER:
        command, text = [program, "page.mjs", url], json.dumps({"code": code, "calls": times * snippet.calls.total()})
    else:
        command = [program, "--input-type=module", "-"]
    output = run_client(command, folder, given=text)
    return dict(json.loads(output)) if snippet.language == BROWSER else {}


@pytest.fixture
def stored(start: Start, aws: AwsAccount, databases: Databases, acme: Provisioned) -> Stored:
    """Load the messages of the queue.

    Return the stored events of acme, and the number of events in the messages.
    """

    def load_all() -> tuple[list[tuple[str, ...]], int]:
        messages = messages_in(aws.queue_url)
        assert start("load")(delivery_of(messages)) == {"batchItemFailures": []}
        parameters = {"organization_id": str(acme.organization.id)}
        rows = databases.clickhouse.query(STORED, parameters=parameters).result_rows
        return [tuple(row) for row in rows], sum(len(rows_in(message["Body"])) for message in messages)

    return load_all


def generate_cases() -> Iterator[object]:
    """Yield each snippet as documented and, with its calls made many times, with a lost answer.

    The answer to the second request is lost, because some SDKs send one call in the first. A browser is expensive. It
    runs a snippet once, with a lost answer.
    """
    for number, snippet in enumerate(SNIPPETS):
        cases: list[tuple[int, set[int]]] = [(1, {0})] if snippet.language == BROWSER else [(1, set()), (MANY, {1})]
        for times, lost_answers in cases:
            name = f"{snippet.sdk} {number} {'answer lost' if lost_answers else 'as documented'}"
            yield pytest.param(snippet, times, lost_answers, id=name)


def test_each_sdk_of_the_tests_has_a_snippet() -> None:
    packages = set(json.loads((ROOT / "tests" / "node" / "package.json").read_text())["dependencies"])

    assert {each.sdk for each in SNIPPETS} == packages - TOOLS | PYTHON_SDKS


@pytest.mark.parametrize(("snippet", "times", "lost_answers"), [*generate_cases()])
def test_each_call_of_a_snippet_is_stored_once(
    run: Run, stored: Stored, snippet: Snippet, times: int, lost_answers: set[int]
) -> None:
    run(snippet, times, lost_answers)

    rows, received = stored()
    assert (received > len(rows)) == bool(lost_answers)  # the SDK sent again
    expected = {EVENTS[kind]: times * calls for kind, calls in snippet.calls.items()}
    assert Counter((kind, name) for _, kind, name, *_ in rows) == expected
    assert len({row[0] for row in rows}) == len(rows)
    money = {(revenue, currency) for _, kind, _, revenue, currency in rows if kind in WITH_REVENUE}
    assert money == {(REVENUE, CURRENCY)}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/"])
def test_node_sdk_loses_no_call(
    ingest: Function, aws: AwsAccount, acme: Provisioned, node: tuple[str, Path], path: str
) -> None:
    program, folder = node

    with serving(ingest) as url:
        command = [program, "unusual.mjs", url, acme.write_key.text, path]
        sent = run_client(command, folder)

    assert json.loads(sent) == {"delivered": 8, "errors": []}
    rows = events_in(aws.queue_url)
    names = ["a\ufffdb", "cut \ufffd", "NaN", '"Infinity"', "\\u0000", "\u2028", "Placeholder", "Zeros"]
    assert sorted(row.event_name for row in rows) == sorted(names)
    assert {row.device_id for row in rows} == {"device-1", "user-1"}


def test_python_sdk_loses_no_call_to_nan(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    errors: list[object] = []

    with serving(ingest) as url:
        client = segment.analytics.Client(
            acme.write_key.text, host=url, on_error=lambda error, _batch: errors.append(error)
        )
        for number in (float("nan"), float("inf"), float("-inf"), 1.25):
            client.track("user-1", f"NaN {number}", {"revenue": number, "note": "-Infinity"})
        client.flush()
        client.join()

    assert errors == []
    rows = {row.event_name: json.loads(row.properties)["revenue"] for row in events_in(aws.queue_url)}
    assert rows == {"NaN nan": None, "NaN inf": None, "NaN -inf": None, "NaN 1.25": 1.25}
