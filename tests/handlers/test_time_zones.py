"""Statistics by days of a time zone: GET /v1/stats, and the same for the operator."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tenancy.errors import InvalidError
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.usage import Period
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.read_statistics import list_local_groups
from tests.given import AwsAccount, Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.queues import messages_in
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample, with_path, with_query
from tests.use_cases.storing import store

NOW = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)  # already December in Berlin
BERLIN = "Europe/Berlin"
ONE_DAY = timedelta(days=1)
OF_UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu")
WRONG = ("utc", "europe/berlin", "+02:00", "UTC+2", "", "Factory", "Europe/Berlin'", "') OR 1=1 --", "x" * 3000)

type Ask = Callable[..., Event]


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("usage")
    clock.moment = NOW
    clock.stop(function)
    return function


def own(provisioned: Provisioned, **query: str) -> Event:
    return called_by(with_query(sample("usage", "stats"), **query), tenant_of(provisioned))


def of_operator(organization_id: object, **query: str) -> Event:
    asked = sample("usage", "stats_for_operator")
    request = with_path(asked, f"/organizations/{organization_id}/stats", asked["resource"])
    request["pathParameters"] = {"organization_id": str(organization_id)}
    return called_by(with_query(request, **query), OPERATOR)


def of_acme_for_operator(provisioned: Provisioned, **query: str) -> Event:
    return of_operator(provisioned.organization.id, **query)


def put(databases: Databases, provisioned: Provisioned, *moments: str) -> None:
    for number, moment in enumerate(moments):
        happened = datetime.fromisoformat(moment)
        store(databases, provisioned.organization.id, [number], at=NOW - ONE_DAY, happened=happened, revenue="1.5")


def document_of(usage: Function, request: Event) -> dict[str, Any]:
    answer = answer_of(usage(request))
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.document
    return document


def days(document: dict[str, Any]) -> list[tuple[str, int]]:
    return [(group["day"], group["events"]) for group in document["data"]]


@pytest.mark.parametrize("ask", [own, of_acme_for_operator])
def test_events_are_in_their_local_days(
    usage: Function, databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, ask: Ask
) -> None:
    moments = ("2026-11-23T22:59:59.999+00:00", "2026-11-23T23:00:00+00:00", "2026-11-24T22:59:59.999+00:00")
    put(databases, acme, *moments)
    put(databases, globex, *moments, *moments)
    period = {"from_": "2026-11-22", "to": "2026-11-26"}

    for _ in range(2):
        utc, berlin = (document_of(usage, ask(acme, timezone=zone, **period)) for zone in ("UTC", BERLIN))

        assert (utc["timezone"], days(utc)) == ("UTC", [("2026-11-23", 2), ("2026-11-24", 1)])
        assert (berlin["timezone"], days(berlin)) == (BERLIN, [("2026-11-23", 1), ("2026-11-24", 2)])
        assert utc == document_of(usage, ask(acme, **period))
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW)


def test_both_routes_have_one_answer(usage: Function, databases: Databases, acme: Provisioned) -> None:
    put(databases, acme, *(f"2026-11-{day}T12:00:00+00:00" for day in range(10, 20)))
    queries: list[dict[str, str]] = [
        {},
        {"timezone": BERLIN, "from_": "2026-11-01", "to": "2026-12-01"},
        {"from_": "2026-11-01", "group_by": "event_name,app_id", "app_id": "none", "order_by": "revenue"},
        {"timezone": "Asia/Kathmandu", "from_": "2026-11-02", "to": "2026-12-02", "order_by": "events", "limit": "3"},
    ]

    for query in queries:
        documents = [
            document_of(usage, request) for request in (own(acme, **query), of_acme_for_operator(acme, **query))
        ]

        assert documents[0] == documents[1]


def test_default_period_is_the_month_of_the_zone(usage: Function, databases: Databases, acme: Provisioned) -> None:
    put(databases, acme, "2026-11-30T22:30:00+00:00", "2026-11-30T23:10:00+00:00")

    assert days(document_of(usage, own(acme))) == [("2026-11-30", 2)]
    assert days(document_of(usage, own(acme, timezone=BERLIN))) == [("2026-12-01", 1)]


def test_other_names_of_utc_have_no_longest_period(usage: Function, databases: Databases, acme: Provisioned) -> None:
    put(databases, acme, "2026-11-24T00:00:00+00:00")

    for name in OF_UTC:
        document = document_of(usage, own(acme, timezone=name, from_="2026-01-01", to="2027-01-01"))

        assert (document["timezone"], days(document)) == (name, [("2026-11-24", 1)])


@pytest.mark.parametrize("ask", [own, of_acme_for_operator])
def test_period_of_another_zone_has_at_most_31_days(usage: Function, acme: Provisioned, ask: Ask) -> None:
    first = date(2026, 10, 5)
    allowed, refused = (
        ask(acme, timezone=BERLIN, from_=first.isoformat(), to=(first + count * ONE_DAY).isoformat())
        for count in (31, 32)
    )

    assert document_of(usage, allowed)["data"] == []
    [error] = problem_of(usage(refused), refused, 422, "invalid")["errors"]
    assert (error["location"], error["code"]) == ("query/to", "out_of_range")
    assert all(text in error["message"] for text in ("2026-10-05", "2026-11-06", "32 days", "31"))


@pytest.mark.parametrize("ask", [own, of_acme_for_operator])
def test_unknown_zone_is_422(usage: Function, acme: Provisioned, ask: Ask) -> None:
    for name in WRONG:
        request = ask(acme, timezone=name)

        [error] = problem_of(usage(request), request, 422, "invalid")["errors"]

        assert (error["location"], error["code"]) == ("query/timezone", "unknown")
        assert "Europe/Berlin" in error["message"]


def test_cursor_of_another_zone_is_422(usage: Function, databases: Databases, acme: Provisioned) -> None:
    put(databases, acme, "2026-11-20T12:00:00+00:00", "2026-11-21T12:00:00+00:00")
    query = {"from_": "2026-11-01", "to": "2026-12-01", "limit": "1"}
    first = {zone: document_of(usage, own(acme, timezone=zone, **query)) for zone in ("UTC", BERLIN, "Europe/Rome")}

    for zone, page in first.items():
        for other in first:
            request = own(acme, timezone=other, **query, cursor=page["pagination"]["next_cursor"])
            if other == zone:
                assert days(document_of(usage, request)) == [("2026-11-21", 1)]
            else:
                problem_of(usage(request), request, 422, "invalid")


def test_resent_event_counts_once_in_a_zone(usage: Function, databases: Databases, acme: Provisioned) -> None:
    happened = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    for copy, revenue in enumerate(("1.5", "9")):
        received_at = NOW - ONE_DAY + copy * timedelta(hours=1)
        store(databases, acme.organization.id, [1], at=received_at, happened=happened, revenue=revenue)

    [group] = document_of(usage, own(acme, timezone=BERLIN, from_="2026-11-01", to="2026-12-01"))["data"]

    assert (group["day"], group["events"], set(group["revenue"].values())) == ("2026-11-25", 1, {"1.5"})


def test_period_with_too_many_events_is_422(databases: Databases, acme: Provisioned) -> None:
    put(databases, acme, *(f"2026-11-{day}T12:00:00+00:00" for day in range(10, 20)))
    query = StatisticsQuery(period=Period(start=date(2026, 11, 1), end=date(2026, 12, 1)), group_by=[], zone=BERLIN)
    reader = TenantReader(databases.clickhouse, acme.organization.id)

    with pytest.raises(InvalidError, match="more than 9 events") as refusal:
        list_local_groups(reader, query, after=None, limit=1, max_rows=9)

    assert [error.location for error in refusal.value.errors] == ["query/to"]


# ---------------------------------------------------------------------------------------------------------- operator


def test_unknown_organization_is_404_before_its_query_is_read(usage: Function, acme: Provisioned) -> None:
    reversed_period = {"from_": "2026-12-01", "to": "2026-11-01"}
    for query in ({}, {"timezone": BERLIN}, reversed_period):
        request = of_operator(uuid4(), **query)

        problem_of(usage(request), request, 404, "not_found")

    request = of_acme_for_operator(acme, **reversed_period)

    problem_of(usage(request), request, 422, "invalid")


def test_tenant_may_not_call_the_operators_route(usage: Function, acme: Provisioned, globex: Provisioned) -> None:
    for path, status, code in ((acme, 403, "forbidden"), (globex, 404, "not_found")):
        request = called_by(of_operator(path.organization.id), tenant_of(acme))

        problem_of(usage(request), request, status, code)


def test_inactive_organization_is_shown_to_the_operator(
    usage: Function, databases: Databases, acme: Provisioned
) -> None:
    put(databases, acme, "2026-11-24T12:00:00+00:00")

    for status in (OrganizationStatus.SUSPENDED, OrganizationStatus.DELETED):
        with superuser(databases) as conn:
            conn.execute(
                "UPDATE organizations SET status = %s, deleted_at = now(), purge_at = now() + interval '1 day'",
                (status,),
            )

        request = of_acme_for_operator(acme, timezone=BERLIN, from_="2026-11-01", to="2026-12-01")

        assert days(document_of(usage, request)) == [("2026-11-24", 1)]


def test_read_by_an_operator_is_in_the_audit_log(usage: Function, acme: Provisioned, aws: AwsAccount) -> None:
    document_of(usage, own(acme, timezone=BERLIN))
    document_of(usage, of_acme_for_operator(acme, timezone=BERLIN))

    [message] = [json.loads(each["Body"]) for each in messages_in(aws.audit_queue_url)]

    assert message["organization_id"] == str(acme.organization.id)
    assert message["record"]["actor"]["kind"] == "operator"
    assert message["record"]["action"] == "GET /v1/organizations/{organization_id}/stats"
