"""Pages of GET /v1/stats: each order, ties, unusual names, and cursors of other lists."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tenancy.gateway.periods import parse_period
from tenancy.rules.events.fields import TYPE_MAX_CHARACTERS
from tenancy.rules.statistics import DIMENSIONS, StatisticsOrder, StatisticsPosition, StatisticsQuery
from tenancy.rules.tenant import Tenant
from tenancy.rules.texts import NAME_MAX_CHARACTERS
from tenancy.stores.aws.secrets import CLICKHOUSE_READER, DATABASE
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases, know, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.requests import Event, answer_of, called_by, problem_of, sample, with_query

INSERT = """
    INSERT INTO events (organization_id, event_id, event_type, event_name, device_id, platform, event_timestamp,
                        revenue, currency, received_at)
    SELECT {organization_id:UUID}, toString(generateUUIDv4()), {kind:String}, {name:String},
           concat('device-', toString(number % {devices:UInt64})), {platform:String}, {at:DateTime64(3, 'UTC')},
           {revenue:Decimal(18, 6)}, {currency:String}, {at:DateTime64(3, 'UTC')}
    FROM numbers({events:UInt64})
"""
ORDERS = [order.value for order in StatisticsOrder]
NOT_NUMBERS = ("5\n", "5\r\n", "\n5", "5 ", " 5", "+5", "1e5", "\u0665", "5.", ".5", "--5", "", "5\0", "9" * 33)
UNUSUAL = ("", "a\tb", "a\nb", "a\\b", "a'b", 'a"b', "\1", "a\\N", "é", "😀" * 255, "{x:String}", "%s", "ä", "Ä", "a")


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("usage")
    clock.stop(function)
    return function


@pytest.fixture
def now(clock: StoppedClock) -> datetime:
    return clock.moment


def put(databases: Databases, provisioned: Provisioned, name: str, *, at: datetime, **values: object) -> None:
    parameters = {"events": 1, "devices": 1, "revenue": "0", "currency": "USD", "kind": "track", "platform": "ios"}
    parameters |= values
    parameters |= {"organization_id": str(provisioned.organization.id), "name": name, "at": at}
    databases.clickhouse.command(INSERT, parameters=parameters)


def request_of(tenant: Tenant, **query: str) -> Event:
    return called_by(with_query(sample("usage", "stats"), **query), tenant)


def pages(usage: Function, tenant: Tenant, **query: str) -> Iterator[list[dict[str, Any]]]:
    while True:
        answer = answer_of(usage(request_of(tenant, **query)))
        assert answer.status == 200, answer.body
        pagination = answer.document["pagination"]
        assert pagination["has_more"] == (pagination["next_cursor"] is not None)
        yield answer.document["data"]
        if not pagination["has_more"]:
            return
        query["cursor"] = pagination["next_cursor"]


def names(groups: Sequence[dict[str, Any]]) -> list[str]:
    return [group["event_name"] for group in groups]


@pytest.mark.exhaustive
@pytest.mark.parametrize("is_settled", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_have_each_group_once_in_order(
    usage: Function,
    databases: Databases,
    counters: Redis,
    acme: Provisioned,
    now: datetime,
    *,
    order: str,
    is_settled: bool,
) -> None:
    for number, name in enumerate(UNUSUAL):
        events = 1 + number % 3  # so that most numbers are equal
        put(databases, acme, name, at=now, events=events, devices=1 + number % 2, revenue=f"{number % 4 - 1}.25")
    if is_settled:
        roll_up(databases.platform, databases.clickhouse, counters, now=now + timedelta(hours=1))
    query = {"group_by": "event_name,currency", "order_by": order}

    [whole] = pages(usage, tenant_of(acme), **query)
    parts = list(pages(usage, tenant_of(acme), **query, limit="2"))

    assert sorted(names(whole)) == sorted(UNUSUAL)
    assert [len(part) for part in parts] == [2] * (len(UNUSUAL) // 2) + [1]
    assert [group for part in parts for group in part] == whole
    assert [_rank(group, order) for group in whole] == sorted(_rank(group, order) for group in whole)


def _rank(group: dict[str, Any], order: str) -> tuple[float, bytes]:
    """Return the number, which falls, and the name, which is compared by its bytes."""
    numbers = {**group, "key": 0, "revenue": group["revenue"]["USD"]}
    return -float(numbers[order]), group["event_name"].encode()


def test_groups_go_by_their_largest_revenue_in_one_currency(
    usage: Function, databases: Databases, acme: Provisioned, now: datetime
) -> None:
    for name, revenues in {"two": {"EUR": "6", "JPY": "7"}, "one": {"EUR": "8"}, "none": {"USD": "-1"}}.items():
        for currency, revenue in revenues.items():
            put(databases, acme, name, at=now, currency=currency, revenue=revenue)

    parts = list(pages(usage, tenant_of(acme), group_by="event_name", order_by="revenue", limit="1"))

    assert [names(part) for part in parts] == [["one"], ["two"], ["none"]]


@pytest.mark.parametrize("character", ["\1", "😀"])
def test_longest_groups_have_pages(
    usage: Function, databases: Databases, acme: Provisioned, now: datetime, character: str
) -> None:
    kind, name = character * TYPE_MAX_CHARACTERS, character * NAME_MAX_CHARACTERS
    for currency in ("EUR", "USD"):
        put(databases, acme, name, at=now, kind=kind, platform=name, currency=currency)
    group_by = ",".join(DIMENSIONS)

    parts = [list(pages(usage, tenant_of(acme), group_by=group_by, order_by=order, limit="1")) for order in ORDERS]

    assert [[group["currency"] for [group] in part] for part in parts] == [["EUR", "USD"]] * len(ORDERS)


def test_forged_number_is_422(usage: Function, acme: Provisioned, now: datetime) -> None:
    period = parse_period(None, None, today=now.date())
    for order in StatisticsOrder:
        for number in NOT_NUMBERS:
            query = StatisticsQuery(period=period, group_by=["event_name"], order=order)
            position = StatisticsPosition(number, "", "", "a", "", "", "")
            cursor = query.groups_of(acme.organization.id).format_cursor(position)
            request = request_of(tenant_of(acme), group_by="event_name", order_by=order, cursor=cursor)

            problem_of(usage(request), request, 422, "invalid")


def test_events_between_two_pages_repeat_no_group(
    usage: Function, databases: Databases, acme: Provisioned, now: datetime
) -> None:
    for order in ("key", "events", "unique_devices"):
        for number, name in enumerate("abcd"):
            put(databases, acme, f"{order}-{name}", at=now, events=10 - number, devices=10 - number)
        read = pages(usage, tenant_of(acme), group_by="event_name", order_by=order, limit="2")
        seen = [*next(read)]
        for name in ("a", "aa"):
            put(databases, acme, f"{order}-{name}", at=now, events=5, devices=5)

        seen += [group for part in read for group in part]

        assert len(names(seen)) == len(set(names(seen)))
        assert {f"{order}-{name}" for name in "abcd"}.issubset(names(seen))


def test_days_are_a_list_with_pages(usage: Function, databases: Databases, acme: Provisioned, now: datetime) -> None:
    days = [now.replace(day=1, hour=0) - timedelta(days=ago) for ago in (3, 2, 1)]
    for day in days:
        put(databases, acme, "a", at=day)
    period = {"from": days[0].date().isoformat(), "to": now.date().isoformat()}

    parts = list(pages(usage, tenant_of(acme), limit="1", **period))

    assert [group["day"] for part in parts for group in part] == [day.date().isoformat() for day in days]


def test_cursor_of_another_query_is_422(
    usage: Function, databases: Databases, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    for provisioned in (acme, globex):
        for name in "ab":
            put(databases, provisioned, name, at=now)
    query = {"group_by": "event_name", "limit": "1"}
    cursor = answer_of(usage(request_of(tenant_of(acme), **query))).document["pagination"]["next_cursor"]
    tomorrow = (now + timedelta(days=1)).date().isoformat()

    assert names(answer_of(usage(request_of(tenant_of(acme), **query, cursor=cursor))).document["data"]) == ["b"]

    refused = [request_of(tenant_of(globex), **query, cursor=cursor)]
    refused += [
        request_of(tenant_of(acme), **{**query, **changes}, cursor=cursor)
        for changes in ({"group_by": "platform"}, {"order_by": "events"}, {"to": tomorrow}, {"group_by": ""})
    ]
    details = {problem_of(usage(request), request, 422, "invalid")["detail"] for request in refused}

    assert len(details) == 1


@pytest.mark.usefixtures("secrets")
def test_foreign_cursor_is_refused_before_a_store_is_read(
    start: Start, put_secret: PutSecret, counters: Redis, acme: Provisioned, nowhere: str
) -> None:
    know(counters, tenant_of(acme))
    put_secret(CLICKHOUSE_READER, f"http://{nowhere}/default")
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    usage = start("usage")

    for case in ("stats", "usage"):
        request = called_by(with_query(sample("usage", case), cursor="x" * 20), tenant_of(acme))
        problem_of(usage(request), request, 422, "invalid")


def test_forged_position_is_no_fault(usage: Function, databases: Databases, acme: Provisioned, now: datetime) -> None:
    """A client can compute the cursor of any position in its own list."""
    put(databases, acme, "a", at=now)
    period = parse_period(None, None, today=now.date())
    for order in StatisticsOrder:
        query = StatisticsQuery(period=period, group_by=["event_name"], order=order)
        for number, day in (("9" * 32, "9999-12-31"), ("-" + "9" * 32, "\0"), ("0." + "9" * 6, "x" * 300)):
            position = StatisticsPosition(number, day, "\0", str(uuid4()), "", "\ufffd", "\0")
            cursor = query.groups_of(acme.organization.id).format_cursor(position)

            answer = answer_of(usage(request_of(tenant_of(acme), group_by="event_name", order_by=order, cursor=cursor)))

            assert answer.status == 200, answer.body


def test_invalid_page_or_order_is_422(usage: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    limits, cursors, orders = ("0", "1001", "x", "-1"), ("", "x", "é"), ("", "Key", "day", "-events")
    queries = [
        *({"limit": limit} for limit in limits),
        *({"cursor": cursor} for cursor in cursors),
        *({"order_by": order} for order in orders),
    ]

    for query in queries:
        with subtests.test(str(query)):
            request = request_of(tenant_of(acme), **query)
            [location] = query
            [error] = problem_of(usage(request), request, 422, "invalid")["errors"]
            assert error["location"] == f"query/{location}"
