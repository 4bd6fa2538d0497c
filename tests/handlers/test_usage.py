"""GET /v1/usage and /v1/stats: an organization sees its own numbers, and who may not is told why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

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
from tests.handlers.doors import door
from tests.handlers.functions import BASE_DOMAIN, Function, PutSecret, Start
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    call,
    called_by,
    problem_of,
    sample,
    with_headers,
    with_query,
)

NOW = datetime.now(UTC)


@pytest.fixture
def usage(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("usage")


def ask(case: str, who: Provisioned, **query: str) -> Event:
    """Ask as the secret key of *who* does, about the current month."""
    return called_by(with_query(sample("usage", case), **query), tenant_of(who))


def store(databases: Databases, who: Provisioned, events: Sequence[dict[str, object]]) -> None:
    reception = BatchContext(organization_id=who.organization.id, received_at=NOW, retention=timedelta(days=90))
    rows = [parse_event(msgspec.json.encode(one), reception) for one in events]
    for frame in encode_frames(rows):
        insert_frames(databases.clickhouse, "events", [frame.bytes], token=f"{who.organization.id} {frame.text}")


def hold(databases: Databases, who: Provisioned, count: int) -> None:
    reception = BatchContext(organization_id=who.organization.id, received_at=NOW, retention=timedelta(days=90))
    calls = [call(number, timestamp="1970-01-01T00:00:00Z") for number in range(count)]
    rows = [parse_segment_message(msgspec.json.encode(one), reception) for one in calls]
    [frame] = encode_frames(rows)
    insert_frames(databases.clickhouse, "held_events", [frame.bytes], token=frame.text)


def on(moment: datetime, number: int, **changes: object) -> dict[str, object]:
    return event(number, event_timestamp=moment.isoformat(), **changes)


def test_usage_before_any_event_is_zero_of_the_tiers_quotas(usage: Function, acme: Provisioned) -> None:
    request = ask("usage", acme)
    answer = answer_of(usage(request))
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == request["requestContext"]["requestId"]
    quotas = QUOTAS[Tier.STARTER]
    limits = {
        "events": (0, quotas.events_per_month),
        "api_requests": (0, quotas.api_requests_per_month),
        "storage_bytes": (0, quotas.storage_bytes),
        "ml_predictions": (0, quotas.ml_predictions_per_month),
        "users": (1, quotas.users),
        "apps": (1, quotas.apps),
    }
    start = date(NOW.year, NOW.month, 1)
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
    }


def test_each_organization_sees_its_own_events_and_no_other(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, acme, [on(NOW, number) for number in range(3)])
    store(databases, globex, [on(NOW, number, revenue="7") for number in range(5)])
    hold(databases, globex, 2)
    for who, events, held in ((acme, 3, 0), (globex, 5, 2)):
        document = answer_of(usage(ask("usage", who))).document
        assert document["organization_id"] == str(who.organization.id)
        assert document["quotas"]["events"]["used"] == events
        assert document["held"] == {"count": held, "reasons": {"clock": 2} if held else {}}
        [day] = document["daily"]
        assert (day["date"], day["events"], day["unique_users"]) == (NOW.date().isoformat(), events, events)
        stored = document["quotas"]["storage_bytes"]["used"]
        assert (stored > day["storage_bytes"] > 0) if held else (stored == day["storage_bytes"] > 0)
        [group] = answer_of(usage(ask("stats", who))).document["data"]
        assert (group["events"], group["unique_devices"]) == (events, events)


def test_the_query_bounds_the_days_and_never_the_quotas(
    usage: Function, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme, [on(NOW, 1)])
    today, tomorrow = NOW.date(), NOW.date() + timedelta(days=1)
    for start, end, days in ((today, tomorrow, 1), (tomorrow, tomorrow, 0), (date(2026, 1, 1), date(2026, 1, 2), 0)):
        document = answer_of(usage(ask("usage", acme, from_=start.isoformat(), to=end.isoformat()))).document
        assert document["period"] == {"start": start.isoformat(), "end": end.isoformat()}
        assert len(document["daily"]) == days
        assert document["quotas"]["events"]["used"] == 1


def test_statistics_are_grouped_as_asked_for(usage: Function, databases: Databases, acme: Provisioned) -> None:
    yesterday = NOW - timedelta(days=1)
    store(
        databases,
        acme,
        [
            on(NOW, 1, revenue="1.25", currency="EUR"),
            on(NOW, 2, revenue="1.25", currency="USD", event_name="Product Viewed"),
            on(yesterday, 3, revenue="0.5", currency="EUR", platform="web"),
        ],
    )
    period = {"from_": yesterday.date().isoformat(), "to": (NOW.date() + timedelta(days=1)).isoformat()}

    def groups(group_by: str | None) -> list[dict[str, object]]:
        asked = {"group_by": group_by} if group_by is not None else {}
        answer = answer_of(usage(ask("stats", acme, **period, **asked)))
        assert answer.status == 200, answer.body
        data: list[dict[str, object]] = answer.document["data"]
        return data

    whole = {"events": 3, "revenue": {"EUR": "1.75", "USD": "1.25"}, "unique_devices": 3}
    assert groups("") == [whole]
    today, day_before = NOW.date().isoformat(), yesterday.date().isoformat()
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


def test_the_samples_are_answered(usage: Function, acme: Provisioned) -> None:
    for case in ("usage", "stats"):
        assert answer_of(usage(called_by(sample("usage", case), tenant_of(acme)))).status == 200
        # The samples' own organization is in no database; nothing of anybody's is shown.
        document = answer_of(usage(sample("usage", case))).document
        assert document.get("data", []) == document.get("daily", []) == []


def test_the_address_may_be_the_stages_the_custom_domains_or_a_local_one(usage: Function, acme: Provisioned) -> None:
    for case in ("usage", "stats"):
        for path in (f"/{case}", f"/v1/{case}"):
            assert answer_of(usage({**ask(case, acme), "path": path})).status == 200


# ------------------------------------------------------------------------------------------------------------ refusals


def test_whoever_may_not_read_is_told_why(usage: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme)
    for case, permission in (("usage", USAGE_READ), ("stats", STATS_READ)):
        bare = ask(case, acme)
        nobody = {**bare, "requestContext": {**bare["requestContext"], "authorizer": {"principalId": "x"}}}
        refused: list[tuple[Event, int, str]] = [
            (called_by(bare, OPERATOR), 403, "forbidden"),
            (called_by(bare, replace(tenant, scopes=frozenset({EVENTS_WRITE}))), 403, "forbidden"),
            (called_by(bare, replace(tenant, scopes=PERMISSIONS - {permission})), 403, "forbidden"),
            (called_by(bare, replace(tenant, expires_at=NOW - timedelta(seconds=1))), 401, "unauthenticated"),
            (nobody, 401, "unauthenticated"),
        ]
        for request, status, code in refused:
            problem_of(usage(request), request, status, code)


def test_a_request_that_no_authorizer_saw_is_answered_to_nobody(usage: Function, acme: Provisioned) -> None:
    bare = ask("usage", acme)
    for authorizer in (dict[str, str](), None):
        request = {**bare, "requestContext": {**bare["requestContext"], "authorizer": authorizer}}
        problem_of(usage(request), request, 401, "unauthenticated")


def test_a_header_or_host_of_another_organization_is_a_mismatch(
    usage: Function, acme: Provisioned, globex: Provisioned
) -> None:
    for case in ("usage", "stats"):
        for named in (str(globex.organization.id), "unknown", ""):
            request = with_headers(ask(case, acme), x_organization_id=named)
            problem_of(usage(request), request, 403, "tenant_mismatch")
        request = with_headers(ask(case, acme), host=f"globex.{BASE_DOMAIN}:443")
        problem_of(usage(request), request, 403, "tenant_mismatch")
        own = with_headers(
            ask(case, acme), x_organization_id=str(acme.organization.id).upper(), host=f"Acme.{BASE_DOMAIN}"
        )
        assert answer_of(usage(own)).status == 200


def test_one_function_serves_two_organizations_in_turn_and_mixes_nothing_up(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, acme, [on(NOW, 1)])
    refused = with_headers(ask("usage", globex), x_organization_id=str(acme.organization.id))
    for _ in range(2):
        assert answer_of(usage(ask("usage", acme))).document["quotas"]["events"]["used"] == 1
        problem_of(usage(refused), refused, 403, "tenant_mismatch")
        assert answer_of(usage(ask("usage", globex))).document["organization_id"] == str(globex.organization.id)
        assert answer_of(usage(ask("usage", globex))).document["quotas"]["events"]["used"] == 0


def test_a_route_that_is_none_is_not_found(usage: Function, acme: Provisioned) -> None:
    for path in ("/", "/usages", "/stats/", "/organizations"):
        request = {**ask("usage", acme), "path": path}
        answer = answer_of(usage(request))
        assert answer.status in {200, 404}
        if answer.status == 404:
            problem_of(usage(request), request, 404, "not_found")


# -------------------------------------------------------------------------------------------------------------- stores


@pytest.mark.usefixtures("secrets")
def test_a_store_that_is_away_is_unavailable(
    start: Start, put_secret: PutSecret, acme: Provisioned, nowhere: str
) -> None:
    away = {
        DATABASE: f"postgresql://nobody:nothing@{nowhere}/tenancy",
        CLICKHOUSE_READER: f"http://{nowhere}/default",
    }
    for secret, url in away.items():
        put_secret(secret, url)
        usage = start("usage")
        for case in ("usage", "stats"):
            request = ask(case, acme)
            problem_of(usage(request), request, 503, "unavailable")


@pytest.mark.usefixtures("secrets")
def test_a_store_that_goes_away_later_is_unavailable(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned
) -> None:
    request = ask("usage", acme)
    with door(databases.servers.clickhouse_port) as way:
        put_secret(CLICKHOUSE_READER, f"http://{way.address}/{databases.name}")
        usage = start("usage")
        assert answer_of(usage(request)).status == 200
        way.shut()
        problem_of(usage(request), request, 503, "unavailable")


def test_the_organization_is_the_credentials_never_the_querys(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, globex, [on(NOW, 1)])
    request = ask("usage", acme, organization_id=str(globex.organization.id))
    problem_of(usage(request), request, 403, "tenant_mismatch")
    for name in ("tenant", "id"):
        document = answer_of(usage(ask("usage", acme, **{name: str(globex.organization.id)}))).document
        assert UUID(document["organization_id"]) == acme.organization.id
        assert document["daily"] == []
