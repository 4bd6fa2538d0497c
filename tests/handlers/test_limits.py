"""Rate limits and quotas as clients see them: the headers of every answer, and refusals."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis as Client

from tenancy.rules.rate_limit import WINDOW
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE, QUOTAS, Tier
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import bucket_key
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, Servers, know, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.queues import Entry, Reply, messages_in, queue_reply, rows_in, scripted_queue
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    recent_event,
    sample,
    segment_call,
    with_body,
    with_headers,
)
from tests.handlers.sent_events import ACME, GLOBEX, is_sdk_success, post_events, segment_batch, settings_request

STARTER = QUOTAS[Tier.STARTER]
MONTH, BAND = STARTER.events_per_month, STARTER.grace_events_per_month


@pytest.fixture
def ingest(start: Start) -> Function:
    return start("ingest")


def limits_of(answer: object) -> tuple[str, str]:
    found = answer_of(answer)  # type: ignore[arg-type]
    assert found.headers["ratelimit"].startswith('"rpm";r=')
    return found.headers["ratelimit"].partition(";t=")[0], found.headers["ratelimit-policy"]


@pytest.mark.usefixtures("secrets")
def test_every_authenticated_answer_has_the_rate_limit(start: Start, acme: Provisioned, clock: StoppedClock) -> None:
    ingest, usage, provision, audit = (start(name) for name in ("ingest", "usage", "provision", "audit"))
    clock.stop(ingest, usage, provision, audit)
    own = tenant_of(acme)
    device = replace(own, credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    malformed = with_body(sample("ingest", "events"), b"no JSON")
    mismatch = with_headers(sample("usage", "usage"), x_organization_id=str(GLOBEX.organization_id))
    answers: list[tuple[Function, Event, int]] = [
        (usage, called_by(sample("usage", "usage"), own), 200),
        (usage, called_by(sample("usage", "stats"), replace(own, scopes=frozenset())), 403),
        (usage, called_by(mismatch, own), 403),
        (audit, called_by(sample("audit", "list"), own), 200),
        (provision, called_by(sample("provision", "get"), own), 404),
        (ingest, called_by(malformed, own), 400),
        (ingest, called_by(with_body(malformed, {"events": [{}]}), own), 422),
        (ingest, called_by(with_body(malformed, {"events": [recent_event(1)]}), own), 200),
    ]

    for number, (function, request, status) in enumerate(answers):
        answer = function(request)
        assert answer_of(answer).status == status
        assert limits_of(answer) == (f'"rpm";r={99 - number}', '"rpm";q=100;w=60')

    of_device: list[tuple[Event, int]] = [
        (segment_batch(segment_call(1), key=acme.write_key), 200),
        (segment_batch(5, key=acme.write_key), 422),
        (settings_request(acme.write_key.text), 200),
        (called_by(with_body(malformed, {"events": [recent_event(2)]}), device), 200),
    ]
    for number, (request, status) in enumerate(of_device):
        answer = ingest(request)
        assert answer_of(answer).status == status
        assert limits_of(answer) == (f'"rpm";r={999 - number}', '"rpm";q=1000;w=60')

    operators = provision(called_by(sample("provision", "list"), OPERATOR))

    assert limits_of(operators) == (
        f'"rpm";r={PLATFORM_REQUESTS_PER_MINUTE - 1}',
        f'"rpm";q={PLATFORM_REQUESTS_PER_MINUTE};w=60',
    )


def test_public_answer_has_no_rate_limit(start: Start) -> None:
    assert "ratelimit" not in answer_of(start("health")(sample("health", "check"))).headers

    unknown = answer_of(start("ingest")(settings_request("wk_" + "0" * 49)))

    assert (unknown.status, "ratelimit" in unknown.headers) == (404, False)


def test_request_over_the_rate_limit_is_429_and_not_recorded(
    ingest: Function, aws: AwsAccount, servers: Servers, clock: StoppedClock
) -> None:
    clock.stop(ingest)
    window = {"requests": 99, "ends_at": int((clock.moment + WINDOW).timestamp() * 1000)}
    with Client.from_url(servers.valkey_url) as client:
        client.hset(bucket_key(ACME.organization_id, ACME.bucket), mapping=window)
    assert answer_of(ingest(post_events(recent_event(1)))).status == 200
    messages_in(aws.queue_url)
    other = with_headers(post_events(recent_event(1)), x_organization_id=str(GLOBEX.organization_id))

    for request in (post_events(recent_event(1)), post_events(5), other):
        problem = problem_of(ingest(request), request, 429, "rate_limited")
        assert (problem["tier"], problem["limit"]) == ("starter", 100)
        assert 0 < problem["retry_after"] <= 60
        assert answer_of(ingest(request)).headers["ratelimit"].startswith('"rpm";r=0;t=')

    assert messages_in(aws.queue_url) == messages_in(aws.audit_queue_url) == []
    assert answer_of(ingest(post_events(recent_event(1), tenant=GLOBEX))).status == 200


@pytest.mark.usefixtures("secrets")
def test_write_key_over_its_rate_waits_for_the_end_of_the_minute(
    ingest: Function, servers: Servers, acme: Provisioned, clock: StoppedClock
) -> None:
    clock.stop(ingest)
    window = {"requests": 999, "ends_at": int((clock.moment + WINDOW).timestamp() * 1000)}
    with Client.from_url(servers.valkey_url) as client:
        client.hset(bucket_key(acme.organization.id, RateBucket.INGEST), mapping=window)
    call = segment_batch(segment_call(1), key=acme.write_key)
    assert is_sdk_success(ingest(call))

    waits = []
    for seconds in (0, 20, 39):
        clock.advance(timedelta(seconds=seconds))
        refused = ingest(call)
        waits.append(problem_of(refused, call, 429, "rate_limited")["retry_after"])
        assert answer_of(refused).headers["retry-after"] == str(waits[-1])

    assert waits == [60, 40, 1]

    clock.advance(timedelta(seconds=1))
    assert is_sdk_success(ingest(call))


# -------------------------------------------------------------------------------------------------------- over quota


def list_queued(aws: AwsAccount) -> dict[str, list[str]]:
    """Return the ids of queued events by the reason why they are held, or under `events`."""
    found: dict[str, list[str]] = {"events": [], "quota": [], "clock": []}
    for message in messages_in(aws.queue_url):
        for row in rows_in(message["Body"]):
            found[row.reason or "events"].append(row.event_id.removeprefix("event-").removeprefix("message-"))
    return found


def test_events_past_the_quota_are_held_then_rejected(
    start: Start, aws: AwsAccount, set_remaining: Callable[[int, int], None]
) -> None:
    ingest = start("ingest")
    set_remaining(2, 1)
    first, held = recent_event(0), recent_event(2)
    events = [first, first, recent_event(1), held, held, recent_event(3), {"event_type": "wrong"}, recent_event(4)]

    answer = answer_of(ingest(post_events(*events)))

    document = answer.document
    assert answer.status == 200
    assert (document["accepted"], document["held"]) == (3, 2)
    assert [(each["index"], each["event_id"], each["errors"][0]["code"]) for each in document["rejected"]] == [
        (5, "event-3", "quota_exceeded"),
        (6, None, "missing"),
        (7, "event-4", "quota_exceeded"),
    ]
    assert list_queued(aws) == {"events": ["0", "1"], "quota": ["2"], "clock": []}


def test_plain_api_is_402_past_the_grace_band(
    ingest: Function, aws: AwsAccount, set_remaining: Callable[[int, int], None]
) -> None:
    set_remaining(0, 0)
    request = post_events(recent_event(1))

    problem = problem_of(ingest(request), request, 402, "quota_exceeded")

    assert "upgrade_url" not in problem
    assert {name: problem[name] for name in ("tier", "metric", "limit", "used")} == {
        "tier": "starter",
        "metric": "events",
        "limit": MONTH,
        "used": MONTH,
    }
    assert messages_in(aws.queue_url) == []


def test_402_links_to_the_upgrade_page_of_the_platform(start: Start, set_remaining: Callable[[int, int], None]) -> None:
    url = "https://billing.attribution.example/upgrade"
    ingest = start("ingest", UPGRADE_URL=url)
    set_remaining(0, 0)
    request = post_events(recent_event(1))

    problem = problem_of(ingest(request), request, 402, "quota_exceeded")

    assert problem["upgrade_url"] == url


def test_sdk_batch_is_held_whole_or_429_and_never_402(
    ingest: Function,
    aws: AwsAccount,
    acme: Provisioned,
    counters: Redis,
    secrets: None,  # noqa: ARG001
) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    know(counters, device, events=MONTH, held=BAND - 3)

    fitting = segment_batch(segment_call(0), segment_call(1), key=acme.write_key)
    over = segment_batch(segment_call(2), segment_call(3), key=acme.write_key)
    last = segment_batch(segment_call(4), key=acme.write_key)
    long_ago = segment_batch(segment_call(5, timestamp="1970-01-01T00:00:00Z"), key=acme.write_key)

    assert is_sdk_success(ingest(fitting))
    assert list_queued(aws) == {"events": [], "quota": ["0", "1"], "clock": []}

    problem = problem_of(ingest(over), over, 429, "rate_limited")
    assert (problem["tier"], problem["limit"]) == ("starter", MONTH)

    assert is_sdk_success(ingest(last))
    assert list_queued(aws) == {"events": [], "quota": ["4"], "clock": []}

    assert is_sdk_success(ingest(long_ago))
    assert list_queued(aws) == {"events": [], "quota": [], "clock": ["5"]}


def test_quota_is_given_back_if_the_queue_fails(
    start: Start, aws: AwsAccount, set_remaining: Callable[[int, int], None]
) -> None:
    set_remaining(2, 1)

    def refuse_first(number: int, entries: Sequence[Entry]) -> Reply:
        return (500, {"__type": "InternalFailure"}) if number == 0 else queue_reply(entries)

    request = post_events(*map(recent_event, range(3)))
    with scripted_queue(aws.endpoint_url, refuse_first) as queue:
        ingest = start("ingest", AWS_ENDPOINT_URL=queue.url)
        problem_of(ingest(request), request, 503, "unavailable")
        again = answer_of(ingest(request)).document

    assert (again["accepted"], again["held"], again["rejected"]) == (2, 1, [])


@pytest.mark.usefixtures("secrets")
def test_sdk_is_429_if_the_months_requests_are_used_up(start: Start, databases: Databases, acme: Provisioned) -> None:
    """An SDK would drop its events after a 402. The owner is still admitted."""
    ingest, usage, own = start("ingest"), start("usage"), tenant_of(acme)
    with superuser(databases) as conn:
        values = (acme.organization.id, STARTER.ingest_requests_per_month)
        statement = "INSERT INTO tenant_usage (organization_id, metric_date, api_requests_count) VALUES (%s, now(), %s)"
        conn.execute(statement, values)

    for request in (
        segment_batch(segment_call(1), key=acme.write_key),
        segment_batch(5, key=acme.write_key),
        settings_request(acme.write_key.text),
    ):
        problem_of(ingest(request), request, 429, "rate_limited")

    device = replace(own, credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    plain = post_events(recent_event(1), tenant=device)

    assert problem_of(ingest(plain), plain, 402, "quota_exceeded")["metric"] == "ingest_requests"
    assert answer_of(usage(called_by(sample("usage", "usage"), own))).status == 200
