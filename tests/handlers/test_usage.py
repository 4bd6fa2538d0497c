"""GET /v1/usage and /v1/stats: an organization reads its own numbers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import msgspec
import pytest

from scripts.tcp_proxy import tcp_proxy
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.events.row import BatchContext
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS, STATS_READ, USAGE_READ
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.aws.secrets import CLICKHOUSE_READER, DATABASE
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, event, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, PutSecret, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    segment_call,
    with_headers,
    with_query,
)

INSERT_DAYS = """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count)
    SELECT %s, date '2025-12-31' + n, n FROM generate_series(0, 40, 1) AS n WHERE n < 6 OR n > 31
"""


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    """Start the function with the stopped clock, so that no test crosses midnight."""
    function = start("usage")
    clock.stop(function)
    return function


def usage_request(case: str, provisioned: Provisioned, **query: str) -> Event:
    """Return a request of the organization's secret key about the current month."""
    return called_by(with_query(sample("usage", case), **query), tenant_of(provisioned))


@pytest.fixture
def now(clock: StoppedClock) -> datetime:
    return clock.moment


def store(
    databases: Databases, provisioned: Provisioned, events: Sequence[dict[str, object]], *, received_at: datetime
) -> None:
    organization_id = provisioned.organization.id
    reception = BatchContext(organization_id=organization_id, received_at=received_at)
    rows = [parse_event(msgspec.json.encode(one), reception) for one in events]
    for frame in encode_frames(rows):
        insert_frames(databases.clickhouse, "events", [frame.bytes], token=f"{organization_id} {frame.text}")


def store_held(databases: Databases, provisioned: Provisioned, count: int, *, received_at: datetime) -> None:
    organization_id = provisioned.organization.id
    reception = BatchContext(organization_id=organization_id, received_at=received_at)
    calls = [segment_call(number, timestamp="1970-01-01T00:00:00Z") for number in range(count)]
    rows = [parse_segment_message(msgspec.json.encode(one), reception) for one in calls]
    [frame] = encode_frames(rows)
    insert_frames(databases.clickhouse, "held_events", [frame.bytes], token=frame.text)


def event_at(moment: datetime, number: int, **changes: object) -> dict[str, object]:
    return event(number, event_timestamp=moment.isoformat(), **changes)


def test_usage_before_any_event_is_zero(usage: Function, acme: Provisioned, now: datetime) -> None:
    request = usage_request("usage", acme)

    answer = answer_of(usage(request))

    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == request["requestContext"]["requestId"]

    quotas = QUOTAS[Tier.STARTER]
    limits = {
        "events": (0, quotas.events_per_month),
        "api_requests": (0, quotas.api_requests_per_month),
        "ingest_requests": (0, quotas.ingest_requests_per_month),
        "storage_bytes": (0, quotas.storage_bytes),
        "ml_predictions": (0, quotas.ml_predictions_per_month),
        "users": (1, quotas.users),
        "apps": (1, quotas.apps),
    }
    start = date(now.year, now.month, 1)

    assert answer.document == {
        "organization_id": str(acme.organization.id),
        "tier": "starter",
        "period": {"start": start.isoformat(), "end": (start + timedelta(days=32)).replace(day=1).isoformat()},
        "quotas": {
            metric: {"used": used, "limit": limit, "remaining": (limit or 0) - used}
            for metric, (used, limit) in limits.items()
        },
        "held": {"count": 0, "reasons": {}},
        "daily": [],
        "pagination": {"next_cursor": None, "has_more": False},
    }


def test_organization_sees_only_its_own_events(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    store(databases, acme, [event_at(now, number) for number in range(3)], received_at=now)
    store(databases, globex, [event_at(now, number, revenue="7") for number in range(5)], received_at=now)
    store_held(databases, globex, 2, received_at=now)

    for provisioned, events, held in ((acme, 3, 0), (globex, 5, 2)):
        document = answer_of(usage(usage_request("usage", provisioned))).document

        assert document["organization_id"] == str(provisioned.organization.id)
        assert document["quotas"]["events"]["used"] == events
        assert document["held"] == {"count": held, "reasons": {"clock": 2} if held else {}}
        [day] = document["daily"]
        assert (day["date"], day["events"], day["unique_users"]) == (now.date().isoformat(), events, events)
        stored = document["quotas"]["storage_bytes"]["used"]
        assert (stored > day["storage_bytes"] > 0) if held else (stored == day["storage_bytes"] > 0)

        [group] = answer_of(usage(usage_request("stats", provisioned))).document["data"]

        assert (group["events"], group["unique_devices"]) == (events, events)


def test_query_limits_the_days_and_not_the_quotas(
    usage: Function, databases: Databases, acme: Provisioned, now: datetime
) -> None:
    store(databases, acme, [event_at(now, 1)], received_at=now)
    today, tomorrow = now.date(), now.date() + timedelta(days=1)

    for start, end, days in ((today, tomorrow, 1), (tomorrow, tomorrow, 0), (date(2026, 1, 1), date(2026, 1, 2), 0)):
        document = answer_of(usage(usage_request("usage", acme, from_=start.isoformat(), to=end.isoformat()))).document

        assert document["period"] == {"start": start.isoformat(), "end": end.isoformat()}
        assert len(document["daily"]) == days
        assert document["quotas"]["events"]["used"] == 1


def test_days_of_usage_have_pages(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        for provisioned in (acme, globex):
            conn.execute(INSERT_DAYS, (provisioned.organization.id,))
    query = {"from_": "2026-01-01", "to": "2026-02-01", "limit": "2"}
    seen: list[list[str]] = []

    while "cursor" not in query or query["cursor"]:
        document = answer_of(usage(usage_request("usage", acme, **query))).document
        seen.append([day["date"] for day in document["daily"]])
        query["cursor"] = document["pagination"]["next_cursor"]

    days = [f"2026-01-{day:02}" for day in range(1, 6)]
    assert seen == [days[:2], days[2:4], days[4:]]


def test_statistics_are_grouped_by_the_query(
    usage: Function, databases: Databases, acme: Provisioned, now: datetime
) -> None:
    yesterday = now - timedelta(days=1)
    store(
        databases,
        acme,
        [
            event_at(now, 1, revenue="1.25", currency="EUR"),
            event_at(now, 2, revenue="1.25", currency="USD", event_name="Product Viewed"),
            event_at(yesterday, 3, revenue="0.5", currency="EUR", platform="web"),
        ],
        received_at=now,
    )
    period = {"from_": yesterday.date().isoformat(), "to": (now.date() + timedelta(days=1)).isoformat()}

    def groups(group_by: str | None) -> list[dict[str, object]]:
        asked = {"group_by": group_by} if group_by is not None else {}
        answer = answer_of(usage(usage_request("stats", acme, **period, **asked)))
        assert answer.status == 200, answer.body
        data: list[dict[str, object]] = answer.document["data"]
        return data

    whole = {"events": 3, "revenue": {"EUR": "1.75", "USD": "1.25"}, "unique_devices": 3}

    assert groups("") == [whole]

    today, day_before = now.date().isoformat(), yesterday.date().isoformat()
    by_day = [
        {"day": day_before, "events": 1, "revenue": {"EUR": "0.5"}, "unique_devices": 1},
        {"day": today, "events": 2, "revenue": {"EUR": "1.25", "USD": "1.25"}, "unique_devices": 2},
    ]

    assert groups(None) == groups("day") == by_day
    assert groups("currency") == [
        {"currency": "EUR", "events": 2, "revenue": {"EUR": "1.75"}, "unique_devices": 2},
        {"currency": "USD", "events": 1, "revenue": {"USD": "1.25"}, "unique_devices": 1},
    ]
    assert [(group["event_name"], group["platform"], group["events"]) for group in groups("platform,event_name")] == [
        ("Order Completed", "ios", 1),
        ("Order Completed", "web", 1),
        ("Product Viewed", "ios", 1),
    ]


def test_sample_requests_are_answered(usage: Function, acme: Provisioned) -> None:
    for case in ("usage", "stats"):
        assert answer_of(usage(called_by(sample("usage", case), tenant_of(acme)))).status == 200
        # The organization of the sample is in no database, so there is nothing to show.
        document = answer_of(usage(sample("usage", case))).document
        assert document.get("data", []) == document.get("daily", []) == []


def test_path_may_begin_with_the_stage(usage: Function, acme: Provisioned) -> None:
    for case in ("usage", "stats"):
        for path in (f"/{case}", f"/v1/{case}"):
            assert answer_of(usage({**usage_request(case, acme), "path": path})).status == 200


# ------------------------------------------------------------------------------------------------------------ refusals


def test_usage_needs_its_permission(usage: Function, acme: Provisioned, now: datetime) -> None:
    tenant = tenant_of(acme)
    for case, permission in (("usage", USAGE_READ), ("stats", STATS_READ)):
        bare = usage_request(case, acme)
        contexts: list[dict[str, str] | None] = [{"principalId": "x"}, {}, None]
        anonymous = [{**bare, "requestContext": {**bare["requestContext"], "authorizer": each}} for each in contexts]
        refused: list[tuple[Event, int, str]] = [
            (called_by(bare, OPERATOR), 403, "forbidden"),
            (called_by(bare, replace(tenant, scopes=frozenset({EVENTS_WRITE}))), 403, "forbidden"),
            (called_by(bare, replace(tenant, scopes=PERMISSIONS - {permission})), 403, "forbidden"),
            (called_by(bare, replace(tenant, expires_at=now - timedelta(seconds=1))), 401, "unauthenticated"),
            *((request, 401, "unauthenticated") for request in anonymous),
        ]

        for request, status, code in refused:
            problem_of(usage(request), request, status, code)


def test_function_serves_two_organizations_in_turn(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    store(databases, acme, [event_at(now, 1)], received_at=now)
    refused = with_headers(usage_request("usage", globex), x_organization_id=str(acme.organization.id))

    for _ in range(2):
        assert answer_of(usage(usage_request("usage", acme))).document["quotas"]["events"]["used"] == 1
        problem_of(usage(refused), refused, 403, "tenant_mismatch")
        document = answer_of(usage(usage_request("usage", globex))).document
        assert document["organization_id"] == str(globex.organization.id)
        assert document["quotas"]["events"]["used"] == 0


def test_unknown_route_is_404(usage: Function, acme: Provisioned) -> None:
    for path in ("/", "/usages", "/stats/", "/organizations"):
        request = {**usage_request("usage", acme), "path": path}
        answer = answer_of(usage(request))
        assert answer.status in {200, 404}
        if answer.status == 404:
            problem_of(usage(request), request, 404, "not_found")


def test_unknown_organization_is_404_whatever_the_period(usage: Function) -> None:
    request = with_query(
        called_by(sample("usage", "usage_for_operator"), OPERATOR), **{"from": "2026-12-01", "to": "2026-11-01"}
    )

    problem_of(usage(request), request, 404, "not_found")


# -------------------------------------------------------------------------------------------------------------- stores


@pytest.mark.usefixtures("secrets")
def test_unreachable_store_is_503(start: Start, put_secret: PutSecret, acme: Provisioned, nowhere: str) -> None:
    unreachable = {
        CLICKHOUSE_READER: f"http://{nowhere}/default",
        DATABASE: f"postgresql://nobody:nothing@{nowhere}/tenancy",
    }

    for secret, url in unreachable.items():
        put_secret(secret, url)
        usage = start("usage")
        for case in ("usage", "stats"):
            request = usage_request(case, acme)
            problem_of(usage(request), request, 503, "unavailable")


@pytest.mark.usefixtures("secrets")
def test_store_that_becomes_unreachable_is_503(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned
) -> None:
    request = usage_request("usage", acme)
    with tcp_proxy(databases.servers.clickhouse_port) as proxy:
        put_secret(CLICKHOUSE_READER, f"http://{proxy.address}/{databases.name}")
        usage = start("usage")
        assert answer_of(usage(request)).status == 200
        proxy.cut()

        problem_of(usage(request), request, 503, "unavailable")


def test_query_cannot_select_another_organization(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    store(databases, globex, [event_at(now, 1)], received_at=now)
    request = usage_request("usage", acme, organization_id=str(globex.organization.id))

    problem_of(usage(request), request, 403, "tenant_mismatch")

    for name in ("tenant", "id"):
        request = usage_request("usage", acme, **{name: str(globex.organization.id)})

        problem = problem_of(usage(request), request, 422, "invalid")

        assert [error["location"] for error in problem["errors"]] == [f"query/{name}"]
