"""The main job through the deployed stack: template, gateway, authorizer, queue, load, ClickHouse, reports."""

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import segment.analytics

from tests.e2e.deployed import Api, Organization, Stack, wait_for

EVENTS_EACH = 10_000
NOW = datetime.now(UTC).replace(microsecond=0).isoformat()


def events_of(name: str, count: int = EVENTS_EACH) -> list[dict[str, Any]]:
    """Return events whose ids are the same for every organization, and whose other columns are not."""
    return [
        {
            "event_type": "purchase",
            "event_name": f"{name} ordered",
            "device_id": f"{name}-device-{number % 50}",
            "platform": "ios",
            "event_timestamp": NOW,
            "event_id": str(number),
            "revenue": "1.25",
            "currency": "EUR",
        }
        for number in range(count)
    ]


def cut(events: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def report(api: Api, organization: Organization) -> dict[str, Any]:
    usage = api.get("/usage", organization.secret_key)
    stats = api.get("/stats?group_by=event_name", organization.secret_key)
    assert (usage.status, stats.status) == (200, 200), (usage, stats)
    return {
        "used": usage.document["quotas"]["events"]["used"],
        "daily": [day["events"] for day in usage.document["daily"]],
        "devices": [day["unique_users"] for day in usage.document["daily"]],
        "stats": stats.document["data"],
    }


def test_twenty_thousand_events_sent_twice_and_cut_differently_count_once(
    stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    batches = [
        (organization.write_key, batch)
        for name, organization in (("acme", acme), ("globex", globex))
        for size in (500, 333)
        for batch in cut(events_of(name), size)
    ]
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda job: api.post("/events", job[0], {"events": job[1]}), batches))
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.document["accepted"] for answer in answers) == 4 * EVENTS_EACH

    for organization in (acme, globex):
        assert wait_for(partial(stack.stored, organization.id), EVENTS_EACH) == EVENTS_EACH
    before = [report(api, organization) for organization in (acme, globex)]
    stack.invoke("RollUp")
    after = [report(api, organization) for organization in (acme, globex)]

    for name, reports in zip(("acme", "globex"), zip(before, after, strict=True), strict=True):
        for found in reports:
            assert found == {
                "used": EVENTS_EACH,
                "daily": [EVENTS_EACH],
                "devices": [50],
                "stats": [
                    {
                        "event_name": f"{name} ordered",
                        "events": EVENTS_EACH,
                        "revenue": {"EUR": "12500"},
                        "unique_devices": 50,
                    }
                ],
            }


def test_two_batches_that_reuse_ids_with_other_rows_lose_nothing(stack: Stack, api: Api, acme: Organization) -> None:
    for name in ("first", "second"):
        assert api.post("/events", acme.write_key, {"events": events_of(name, 100)}).status == 200
    assert wait_for(lambda: stack.stored(acme.id), 200) == 200


def test_a_stored_event_sent_again_with_another_revenue_changes_nothing(
    stack: Stack, api: Api, acme: Organization
) -> None:
    [event] = events_of("acme", 1)
    assert api.post("/events", acme.write_key, {"events": [event]}).status == 200
    assert wait_for(lambda: stack.stored(acme.id), 1) == 1
    assert api.post("/events", acme.write_key, {"events": [{**event, "revenue": "999"}]}).status == 200
    marker = {**event, "event_id": "marker", "device_id": "marker", "revenue": "0"}
    assert api.post("/events", acme.write_key, {"events": [marker]}).status == 200
    assert wait_for(lambda: stack.stored(acme.id), 2) == 2
    assert report(api, acme)["stats"][0]["revenue"] == {"EUR": "1.25"}


def test_segments_python_sdk_delivers(stack: Stack, api: Api, acme: Organization) -> None:
    failed: list[object] = []
    client = segment.analytics.Client(
        acme.write_key,
        host=stack.api_url.removesuffix("/v1"),
        gzip=True,
        on_error=lambda error, _batch: failed.append(error),
    )
    for number in range(250):
        client.track(f"user-{number}", "Order Completed", {"revenue": 9.99, "currency": "eur"})
    client.identify("user-1", {"plan": "gold"})
    client.flush()
    client.join()
    assert failed == []
    assert wait_for(lambda: stack.stored(acme.id), 251) == 251
    tracked = next(row for row in report(api, acme)["stats"] if row["event_name"] == "Order Completed")
    assert tracked == {
        "event_name": "Order Completed",
        "events": 250,
        "revenue": {"EUR": "2497.5"},
        "unique_devices": 250,
    }


def test_segments_node_sdk_delivers(stack: Stack, api: Api, globex: Organization, node: tuple[str, Path]) -> None:
    program, folder = node
    host = stack.api_url.removesuffix("/v1")
    sent = subprocess.run(
        [program, "send.mjs", host, globex.write_key, "120"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (sent.returncode, json.loads(sent.stdout)) == (0, {"delivered": 120, "errors": []}), sent.stderr
    assert wait_for(lambda: stack.stored(globex.id), 120) == 120
    [row] = report(api, globex)["stats"]
    assert (row["event_name"], row["events"], row["revenue"]) == ("Signed Up", 120, {"USD": "150"})


def test_a_mobile_sdk_asks_for_its_settings_and_sends_its_key_in_the_body(
    stack: Stack, api: Api, acme: Organization
) -> None:
    settings = api.get(f"/projects/{acme.write_key}/settings", None)
    integration = settings.document["integrations"]["Segment.io"]
    assert integration["apiKey"] == acme.write_key
    call = {"type": "track", "event": "Opened", "anonymousId": "a", "messageId": "m", "timestamp": NOW}
    body = {"batch": [call], "sentAt": NOW, "writeKey": acme.write_key}
    mobile = Api(f"http://{integration['apiHost']}")
    assert mobile.post("/b", None, body).document == {"success": True}
    basic = base64.b64encode(f"{acme.write_key}:".encode()).decode()
    single = {key: value for key, value in call.items() if key != "type"} | {"messageId": "n"}
    assert api.post("/t", None, single, {"Authorization": f"Basic {basic}"}).document == {"success": True}
    assert wait_for(lambda: stack.stored(acme.id), 2) == 2


def test_a_call_with_an_unbelievable_clock_is_held_and_counts_for_nothing(
    stack: Stack, api: Api, acme: Organization
) -> None:
    call = {"event": "Opened", "anonymousId": "a", "timestamp": "1970-01-01T00:00:00Z", "writeKey": acme.write_key}
    assert api.post("/track", None, call).status == 200
    assert wait_for(lambda: stack.stored(acme.id, table="held_events"), 1) == 1
    usage = api.get("/usage", acme.secret_key).document
    assert usage["held"] == {"count": 1, "reasons": {"clock": 1}}
    assert usage["quotas"]["events"] == {"used": 0, "limit": 1_000_000, "remaining": 1_000_000}
