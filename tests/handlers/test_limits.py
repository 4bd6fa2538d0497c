"""What clients see of limits and quotas: on every authenticated answer, and where they are over them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from redis import Redis as Client

from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE, QUOTAS, Tier
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, Servers, know, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.queues import Entry, Reply, fickle_queue, messages_in, rows_in, taking
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    call,
    called_by,
    problem_of,
    recent,
    sample,
    with_body,
    with_headers,
)
from tests.handlers.sent_events import ACME, GLOBEX, asked, batch, post

STARTER = QUOTAS[Tier.STARTER]
MONTH, BAND = STARTER.events_per_month, STARTER.grace_events_per_month


def limits_of(answer: object) -> tuple[str, str]:
    found = answer_of(answer)  # type: ignore[arg-type]
    assert found.headers["ratelimit"].startswith('"rpm";r=')
    return found.headers["ratelimit"].partition(";t=")[0], found.headers["ratelimit-policy"]


@pytest.mark.usefixtures("secrets")
def test_every_authenticated_answer_tells_the_limit_whatever_it_is(start: Start, acme: Provisioned) -> None:
    ingest, usage, provision, audit = (start(name) for name in ("ingest", "usage", "provision", "audit"))
    own = tenant_of(acme)
    device = replace(own, credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    nothing = with_body(sample("ingest", "events"), b"no JSON")
    mismatch = with_headers(sample("usage", "usage"), x_organization_id=str(GLOBEX.organization_id))
    answers: list[tuple[Function, Event, int]] = [
        (usage, called_by(sample("usage", "usage"), own), 200),
        (usage, called_by(sample("usage", "stats"), replace(own, scopes=frozenset())), 403),
        (usage, called_by(mismatch, own), 403),
        (audit, called_by(sample("audit", "list"), own), 200),
        (provision, called_by(sample("provision", "get"), own), 404),
        (ingest, called_by(nothing, own), 400),
        (ingest, called_by(with_body(nothing, {"events": [{}]}), own), 422),
        (ingest, called_by(with_body(nothing, {"events": [recent(1)]}), own), 200),
    ]
    for number, (function, request, status) in enumerate(answers):
        answer = function(request)
        assert answer_of(answer).status == status
        assert limits_of(answer) == (f'"rpm";r={99 - number}', '"rpm";q=100;w=60')
    of_device: list[tuple[Event, int]] = [
        (batch(call(1), key=acme.write_key), 200),
        (batch(5, key=acme.write_key), 422),
        (asked(acme.write_key.text), 200),
        (called_by(with_body(nothing, {"events": [recent(2)]}), device), 200),
    ]
    for number, (request, status) in enumerate(of_device):
        answer = ingest(request)
        assert answer_of(answer).status == status
        assert limits_of(answer) == (f'"rpm";r={99 - number}', '"rpm";q=100;w=60')
    operators = provision(called_by(sample("provision", "list"), OPERATOR))
    assert limits_of(operators) == (
        f'"rpm";r={PLATFORM_REQUESTS_PER_MINUTE - 1}',
        f'"rpm";q={PLATFORM_REQUESTS_PER_MINUTE};w=60',
    )


def test_a_public_answer_has_no_limit_of_anybodys(start: Start) -> None:
    assert "ratelimit" not in answer_of(start("health")(sample("health", "check"))).headers
    unknown = answer_of(start("ingest")(asked("wk_" + "0" * 49)))
    assert (unknown.status, "ratelimit" in unknown.headers) == (404, False)


def test_over_the_limit_a_client_is_told_when_to_come_back_and_nothing_is_read_or_recorded(
    start: Start, aws: AwsAccount
) -> None:
    ingest = start("ingest")
    for _ in range(100):
        assert answer_of(ingest(post(recent(1)))).status == 200
    messages_in(aws.queue_url)
    other = with_headers(post(recent(1)), x_organization_id=str(GLOBEX.organization_id))
    for request in (post(recent(1)), post(5), other):
        problem = problem_of(ingest(request), request, 429, "rate_limited")
        assert (problem["tier"], problem["limit"]) == ("starter", 100)
        assert 0 < problem["retry_after"] <= 60
        assert answer_of(ingest(request)).headers["ratelimit"].startswith('"rpm";r=0;t=')
    assert messages_in(aws.queue_url) == messages_in(aws.audit_queue_url) == []
    assert answer_of(ingest(post(recent(1), tenant=GLOBEX))).status == 200


@pytest.mark.usefixtures("secrets")
def test_a_suspended_organization_is_refused_everything_at_the_next_request(
    start: Start, databases: Databases, acme: Provisioned
) -> None:
    usage, ingest = start("usage"), start("ingest")
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'suspended'")
    own = tenant_of(acme)
    for function, request in ((usage, called_by(sample("usage", "usage"), own)), (ingest, post(recent(1), tenant=own))):
        problem_of(function(request), request, 403, "organization_inactive")
        assert "ratelimit" in answer_of(function(request)).headers


# -------------------------------------------------------------------------------------------------------- over quota


@pytest.fixture
def ingest(start: Start) -> Function:
    return start("ingest")


@pytest.fixture
def left(counters: Redis, servers: Servers) -> Callable[[int, int], None]:
    """Set how many events of the month, and of the grace band, acme has left."""

    def set_left(events: int, held: int) -> None:
        with Client.from_url(servers.valkey_url) as client:
            client.flushall()
        know(counters, ACME, events=MONTH - events, held=BAND - held)

    return set_left


def rows(aws: AwsAccount) -> dict[str, list[str]]:
    """Return the ids of the events in the queue, by the table and the reason that they are bound for."""
    found: dict[str, list[str]] = {"events": [], "quota": [], "clock": []}
    for message in messages_in(aws.queue_url):
        for row in rows_in(message["Body"]):
            found[row.reason or "events"].append(row.event_id.removeprefix("event-").removeprefix("message-"))
    return found


def test_the_first_events_that_fit_count_the_next_are_held_and_the_rest_is_refused_each(
    start: Start, aws: AwsAccount, left: Callable[[int, int], None]
) -> None:
    ingest = start("ingest")
    left(2, 1)
    copies = [recent(0), recent(0), recent(1), recent(2), recent(2), recent(3), {"event_type": "wrong"}, recent(4)]
    copies[1], copies[4] = copies[0], copies[3]
    answer = answer_of(ingest(post(*copies)))
    assert answer.status == 200
    document = answer.document
    assert (document["accepted"], document["held"]) == (3, 2)
    assert [(each["index"], each["event_id"], each["errors"][0]["code"]) for each in document["rejected"]] == [
        (5, "event-3", "quota_exceeded"),
        (6, None, "missing"),
        (7, "event-4", "quota_exceeded"),
    ]
    assert rows(aws) == {"events": ["0", "1"], "quota": ["2"], "clock": []}


def test_past_the_grace_band_the_plain_api_is_answered_402(
    ingest: Function, aws: AwsAccount, left: Callable[[int, int], None]
) -> None:
    left(0, 0)
    request = post(recent(1))
    problem = problem_of(ingest(request), request, 402, "quota_exceeded")
    assert {name: problem[name] for name in ("tier", "metric", "limit", "used", "upgrade_url")} == {
        "tier": "starter",
        "metric": "events",
        "limit": MONTH,
        "used": MONTH,
        "upgrade_url": "/billing/upgrade",
    }
    assert messages_in(aws.queue_url) == []


def test_an_sdks_batch_is_held_as_a_whole_or_comes_again_and_is_never_answered_402(
    ingest: Function,
    aws: AwsAccount,
    acme: Provisioned,
    counters: Redis,
    secrets: None,  # noqa: ARG001
) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    know(counters, device, events=MONTH, held=BAND - 3)
    assert answer_of(ingest(batch(*map(call, range(2)), key=acme.write_key))).document == {"success": True}
    assert rows(aws) == {"events": [], "quota": ["0", "1"], "clock": []}
    over = batch(*map(call, range(2, 4)), key=acme.write_key)
    problem = problem_of(ingest(over), over, 429, "rate_limited")
    assert (problem["tier"], problem["limit"]) == ("starter", MONTH)
    assert answer_of(ingest(batch(call(4), key=acme.write_key))).status == 200
    assert rows(aws) == {"events": [], "quota": ["4"], "clock": []}
    clock = batch(call(5, timestamp="1970-01-01T00:00:00Z"), key=acme.write_key)
    assert answer_of(ingest(clock)).status == 200
    assert rows(aws) == {"events": [], "quota": [], "clock": ["5"]}


def test_quota_that_the_queue_did_not_take_is_given_back(
    start: Start, aws: AwsAccount, left: Callable[[int, int], None]
) -> None:
    left(2, 1)

    def refuses_first(number: int, entries: Sequence[Entry]) -> Reply:
        return (500, {"__type": "InternalFailure"}) if number == 0 else taking(entries)

    request = post(*map(recent, range(3)))
    with fickle_queue(aws.endpoint_url, refuses_first) as queue:
        ingest = start("ingest", AWS_ENDPOINT_URL=queue.url)
        problem_of(ingest(request), request, 503, "unavailable")
        again = answer_of(ingest(request)).document
    assert (again["accepted"], again["held"], again["rejected"]) == (2, 1, [])


@pytest.mark.usefixtures("secrets")
def test_an_sdk_is_never_answered_402_also_where_the_months_requests_are_used_up(
    start: Start, databases: Databases, acme: Provisioned
) -> None:
    """It drops for good what it sends then. The plain API says so, and the owner is not locked out."""
    ingest, usage, own = start("ingest"), start("usage"), tenant_of(acme)
    with superuser(databases) as conn:
        values = (acme.organization.id, STARTER.api_requests_per_month)
        statement = "INSERT INTO tenant_usage (organization_id, metric_date, api_requests_count) VALUES (%s, now(), %s)"
        conn.execute(statement, values)
    for request in (batch(call(1), key=acme.write_key), batch(5, key=acme.write_key), asked(acme.write_key.text)):
        problem_of(ingest(request), request, 429, "rate_limited")
    device = replace(own, credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    plain = post(recent(1), tenant=device)
    assert problem_of(ingest(plain), plain, 402, "quota_exceeded")["metric"] == "api_requests"
    assert answer_of(usage(called_by(sample("usage", "usage"), own))).status == 200
