"""Rate limits, metering, held events and a change of tier on the deployed stack."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.deployed import Answer, Api, Organization, Stack, refusal_of, wait_for
from tests.e2e.test_main_job import NOW

LIMIT = 20  # requests per minute of write keys, by an override
PREDICTIONS = 9_999  # of 10,000: one is left, and the notice at 80 % is due


def event(number: int) -> dict[str, object]:
    return {
        "event_type": "open",
        "event_name": "Opened",
        "device_id": "d",
        "platform": "ios",
        "event_timestamp": NOW,
        "event_id": str(number),
    }


def test_looping_device_is_limited_and_its_secret_key_is_not(
    stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    rate = json.dumps({"overrides": {"ingest_requests_per_minute": LIMIT}}).encode()
    assert api.call("PATCH", f"/organizations/{acme.id}", stack.platform_key, body=rate).status == 200

    def send(number: int) -> int:
        answer = api.post("/events", acme.write_key, {"events": [event(number)]})
        assert answer.headers.get("ratelimit-policy") == f'"rpm";q={LIMIT};w=60'
        assert (answer.status == 429) == ("retry-after" in answer.headers)
        return answer.status

    with ThreadPoolExecutor(4) as clients:
        statuses = Counter(clients.map(send, range(LIMIT + 10)))

    assert statuses == {200: LIMIT, 429: 10}
    assert api.get("/usage", acme.secret_key).status == 200
    assert api.post("/events", globex.write_key, {"events": [event(1)]}).status == 200
    stack.wait_for_stored(acme.id, LIMIT)
    assert wait_for(lambda: count_requests(stack, api, acme)[0], LIMIT) == LIMIT
    assert count_requests(stack, api, acme)[1] >= 1


def count_requests(stack: Stack, api: Api, organization: Organization) -> tuple[int, int]:
    """Return the organization's requests of this month after a sweep has persisted them: of write keys, and others."""
    stack.invoke("Sweep")
    quotas = api.get("/usage", organization.secret_key).document["quotas"]
    return quotas["ingest_requests"]["used"], quotas["api_requests"]["used"]


def report(api: Api, organization: Organization, amount: int, headers: dict[str, str] | None = None) -> Answer:
    return api.post("/usage/ml_predictions", organization.secret_key, {"amount": amount}, headers)


def count_notices(stack: Stack) -> int:
    """Return the number of mails about this quota that sweeps have sent."""
    stack.invoke("Sweep")
    return sum(message["Subject"] == "80 % of your quota of ml_predictions is used" for message in stack.mail())


def test_repeated_report_is_counted_and_announced_once(stack: Stack, api: Api, acme: Organization) -> None:
    notices, key = count_notices(stack), {"Idempotency-Key": "report-1"}

    answers = [report(api, acme, PREDICTIONS, key) for _ in range(2)]

    for answer in answers:
        assert (answer.status, answer.document) == (200, {"used": PREDICTIONS, "limit": 10_000, "remaining": 1})
    assert refusal_of(report(api, acme, 2)) == (402, "quota_exceeded")
    assert wait_for(lambda: count_notices(stack), notices + 1) == notices + 1


def test_new_tier_applies_at_once(stack: Stack, api: Api, acme: Organization) -> None:
    notices = count_notices(stack)
    assert report(api, acme, PREDICTIONS).status == 200
    assert refusal_of(report(api, acme, 2)) == (402, "quota_exceeded")

    changed = api.call("PATCH", f"/organizations/{acme.id}", stack.platform_key, body=b'{"tier": "growth"}')

    assert (changed.status, changed.document["tier"]) == (200, "growth")
    admitted = report(api, acme, 2)
    assert (admitted.status, admitted.document["remaining"]) == (200, 100_000 - (PREDICTIONS + 2))
    assert admitted.headers["ratelimit-policy"] == '"rpm";q=500;w=60'
    assert wait_for(lambda: count_notices(stack), notices + 1) == notices + 1  # so that no later test sees this mail


def test_operator_counts_and_releases_held_events(stack: Stack, api: Api, acme: Organization) -> None:
    call = {"event": "Opened", "anonymousId": "a", "timestamp": "1970-01-01T00:00:00Z", "writeKey": acme.write_key}
    assert api.post("/track", None, call).status == 200
    stack.wait_for_stored(acme.id, 1, table="held_events")
    held = api.get(f"/organizations/{acme.id}/held-events", stack.platform_key)
    assert held.document == {"count": 1, "reasons": {"clock": 1}}

    released = api.post(f"/organizations/{acme.id}/held-events/release", stack.platform_key, None)

    assert (released.status, released.document) == (200, {"released": 1, "waiting": 0})
    assert stack.count_stored(acme.id) == 1
    usage = api.get(f"/organizations/{acme.id}/usage", stack.platform_key).document
    assert (usage["quotas"]["events"]["used"], usage["held"]["count"]) == (1, 0)
