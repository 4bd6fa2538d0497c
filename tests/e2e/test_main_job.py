"""The main job on the deployed stack: events become usage and statistics."""

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import segment.analytics

from tests.e2e.deployed import Api, Organization, Stack

EVENTS_EACH = 10_000
NOW = datetime.now(UTC).replace(microsecond=0).isoformat()


def events_of(name: str, count: int = EVENTS_EACH) -> list[dict[str, Any]]:
    """Return events with the same ids for every *name*, and with other columns for each."""
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


def in_batches(events: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def report(api: Api, organization: Organization) -> dict[str, Any]:
    """Return the organization's usage and statistics."""
    usage = api.get("/usage", organization.secret_key)
    stats = api.get("/stats?group_by=event_name", organization.secret_key)
    assert (usage.status, stats.status) == (200, 200), (usage, stats)
    return {
        "used": usage.document["quotas"]["events"]["used"],
        "daily": [day["events"] for day in usage.document["daily"]],
        "devices": [day["unique_users"] for day in usage.document["daily"]],
        "stats": stats.document["data"],
    }


def expected_report(name: str) -> dict[str, Any]:
    group = {
        "event_name": f"{name} ordered",
        "events": EVENTS_EACH,
        "revenue": {"EUR": "12500"},
        "unique_devices": 50,
    }
    return {"used": EVENTS_EACH, "daily": [EVENTS_EACH], "devices": [50], "stats": [group]}


def test_events_sent_twice_in_other_batches_count_once(
    stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    organizations = {"acme": acme, "globex": globex}
    batches = [
        (organization.write_key, batch)
        for name, organization in organizations.items()
        for size in (500, 333)
        for batch in in_batches(events_of(name), size)
    ]

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda job: api.post("/events", job[0], {"events": job[1]}), batches))

    assert {answer.status for answer in answers} == {200}
    assert sum(answer.document["accepted"] for answer in answers) == 4 * EVENTS_EACH
    for organization in organizations.values():
        stack.wait_for_stored(organization.id, EVENTS_EACH)
    expected = {name: expected_report(name) for name in organizations}
    assert {name: report(api, organization) for name, organization in organizations.items()} == expected
    stack.invoke("RollUp")
    assert {name: report(api, organization) for name, organization in organizations.items()} == expected


def test_batches_with_equal_ids_and_other_rows_lose_no_row(stack: Stack, api: Api, acme: Organization) -> None:
    for name in ("first", "second"):
        assert api.post("/events", acme.write_key, {"events": events_of(name, 100)}).status == 200

    stack.wait_for_stored(acme.id, 200)


def test_resent_event_does_not_change_its_revenue(stack: Stack, api: Api, acme: Organization) -> None:
    [event] = events_of("acme", 1)
    assert api.post("/events", acme.write_key, {"events": [event]}).status == 200
    stack.wait_for_stored(acme.id, 1)

    assert api.post("/events", acme.write_key, {"events": [{**event, "revenue": "999"}]}).status == 200

    marker = {**event, "event_id": "marker", "device_id": "marker", "revenue": "0"}
    assert api.post("/events", acme.write_key, {"events": [marker]}).status == 200
    stack.wait_for_stored(acme.id, 2)
    assert report(api, acme)["stats"][0]["revenue"] == {"EUR": "1.25"}


def test_segment_python_sdk_delivers(stack: Stack, api: Api, acme: Organization) -> None:
    errors: list[object] = []
    client = segment.analytics.Client(
        acme.write_key,
        host=stack.api_url.removesuffix("/v1"),
        gzip=True,
        on_error=lambda error, _batch: errors.append(error),
    )

    for number in range(250):
        client.track(f"user-{number}", "Order Completed", {"revenue": 9.99, "currency": "eur"})
    client.identify("user-1", {"plan": "gold"})
    client.flush()
    client.join()

    assert errors == []
    stack.wait_for_stored(acme.id, 251)
    tracked = next(row for row in report(api, acme)["stats"] if row["event_name"] == "Order Completed")
    assert tracked == {
        "event_name": "Order Completed",
        "events": 250,
        "revenue": {"EUR": "2497.5"},
        "unique_devices": 250,
    }


def test_segment_node_sdk_delivers(stack: Stack, api: Api, globex: Organization, node: tuple[str, Path]) -> None:
    program, folder = node
    host = stack.api_url.removesuffix("/v1")
    command = [program, "send.mjs", host, globex.write_key, "120"]

    sent = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)

    assert (sent.returncode, json.loads(sent.stdout)) == (0, {"delivered": 120, "errors": []}), sent.stderr
    stack.wait_for_stored(globex.id, 120)
    [row] = report(api, globex)["stats"]
    assert (row["event_name"], row["events"], row["revenue"]) == ("Signed Up", 120, {"USD": "150"})


def test_mobile_sdk_reads_settings_and_sends_its_key(stack: Stack, api: Api, acme: Organization) -> None:
    call = {"type": "track", "event": "Opened", "anonymousId": "a", "messageId": "m", "timestamp": NOW}
    basic = base64.b64encode(f"{acme.write_key}:".encode()).decode()
    single = {key: value for key, value in call.items() if key != "type"} | {"messageId": "n"}

    settings = api.get(f"/projects/{acme.write_key}/settings", None)

    integration = settings.document["integrations"]["Segment.io"]
    assert integration["apiKey"] == acme.write_key
    mobile = Api(f"http://{integration['apiHost']}")
    body = {"batch": [call], "sentAt": NOW, "writeKey": acme.write_key}
    assert mobile.post("/b", None, body).document == {"success": True}
    assert api.post("/t", None, single, {"Authorization": f"Basic {basic}"}).document == {"success": True}
    stack.wait_for_stored(acme.id, 2)


def test_call_with_an_impossible_time_is_held_and_not_counted(stack: Stack, api: Api, acme: Organization) -> None:
    call = {"event": "Opened", "anonymousId": "a", "timestamp": "1970-01-01T00:00:00Z", "writeKey": acme.write_key}

    assert api.post("/track", None, call).status == 200

    stack.wait_for_stored(acme.id, 1, table="held_events")
    usage = api.get("/usage", acme.secret_key).document
    assert usage["held"] == {"count": 1, "reasons": {"clock": 1}}
    assert usage["quotas"]["events"] == {"used": 0, "limit": 1_000_000, "remaining": 1_000_000}
