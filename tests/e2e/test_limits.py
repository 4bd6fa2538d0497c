"""Limits, metering, held events and a change of tier through the deployed stack."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.deployed import Api, Organization, Stack, wait_for
from tests.e2e.test_main_job import NOW

LIMIT = 100


def event(number: int) -> dict[str, object]:
    return {
        "event_type": "open",
        "event_name": "Opened",
        "device_id": "d",
        "platform": "ios",
        "event_timestamp": NOW,
        "event_id": str(number),
    }


def test_a_looping_device_is_limited_and_its_owner_is_not_locked_out(
    stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    def send(number: int) -> int:
        answer = api.post("/events", acme.write_key, {"events": [event(number)]})
        assert answer.headers.get("ratelimit-policy") == f'"rpm";q={LIMIT};w=60'
        assert (answer.status == 429) == ("retry-after" in answer.headers)
        return answer.status

    with ThreadPoolExecutor(4) as clients:
        statuses = Counter(clients.map(send, range(150)))
    assert statuses == {200: LIMIT, 429: 50}
    assert api.get("/usage", acme.secret_key).status == 200
    assert api.post("/events", globex.write_key, {"events": [event(1)]}).status == 200
    assert wait_for(lambda: stack.stored(acme.id), LIMIT) == LIMIT
    requests = wait_for(lambda: _requests(stack, api, acme), LIMIT + 1)
    assert requests >= LIMIT + 1


def _requests(stack: Stack, api: Api, organization: Organization) -> int:
    stack.invoke("Sweep")
    used = api.get("/usage", organization.secret_key).document["quotas"]["api_requests"]["used"]
    return int(used)


def test_what_is_reported_is_counted_once_and_a_new_tier_holds_at_once(
    stack: Stack, api: Api, acme: Organization
) -> None:
    key, before = {"Idempotency-Key": "report-1"}, _warnings(stack)
    for _ in range(2):
        answer = api.post("/usage/ml_predictions", acme.secret_key, {"amount": 9_999}, key)
        assert (answer.status, answer.document) == (200, {"used": 9_999, "limit": 10_000, "remaining": 1})
    refused = api.post("/usage/ml_predictions", acme.secret_key, {"amount": 2})
    assert (refused.status, refused.document["code"]) == (402, "quota_exceeded")
    changed = api.call("PATCH", f"/organizations/{acme.id}", stack.platform_key, body=b'{"tier": "growth"}')
    assert (changed.status, changed.document["tier"]) == (200, "growth")
    admitted = api.post("/usage/ml_predictions", acme.secret_key, {"amount": 2})
    assert (admitted.status, admitted.document["remaining"]) == (200, 100_000 - 10_001)
    assert admitted.headers["ratelimit-policy"] == '"rpm";q=500;w=60'
    assert wait_for(lambda: _warnings(stack), before + 1) == before + 1


def _warnings(stack: Stack) -> int:
    """Count the mails about this quota that the sweep has sent."""
    stack.invoke("Sweep")
    return sum(message["Subject"] == "80 % of your ml_predictions are used" for message in stack.mail())


def test_held_events_are_counted_and_released_by_the_operator(stack: Stack, api: Api, acme: Organization) -> None:
    call = {"event": "Opened", "anonymousId": "a", "timestamp": "1970-01-01T00:00:00Z", "writeKey": acme.write_key}
    assert api.post("/track", None, call).status == 200
    assert wait_for(lambda: stack.stored(acme.id, table="held_events"), 1) == 1
    held = api.get(f"/organizations/{acme.id}/held-events", stack.platform_key)
    assert held.document == {"count": 1, "reasons": {"clock": 1}}
    released = api.post(f"/organizations/{acme.id}/held-events/release", stack.platform_key, None)
    assert (released.status, released.document) == (200, {"released": 1})
    assert stack.stored(acme.id) == 1
    usage = api.get(f"/organizations/{acme.id}/usage", stack.platform_key).document
    assert (usage["quotas"]["events"]["used"], usage["held"]["count"]) == (1, 0)
