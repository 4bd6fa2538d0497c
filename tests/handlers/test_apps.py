"""An event carries the app of its write key, from the request to the statistics."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenancy.rules.tenant import Tenant
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import AwsAccount, Databases, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.queues import events_in
from tests.handlers.requests import (
    Event,
    answer_of,
    called_by,
    cloud_event,
    problem_of,
    recent_event,
    sample,
    segment_call,
    with_query,
)
from tests.handlers.sent_events import ACME, is_sdk_success, post_cloud_events, post_events, segment_batch
from tests.use_cases.storing import store_of_app

FIRST_APP, SECOND_APP = UUID(int=1), UUID(int=2)
NOT_APPS = ["", "None", "all", "acme", "1", FIRST_APP.hex, f"{{{FIRST_APP}}}", f"{FIRST_APP},{SECOND_APP}"]


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


@pytest.fixture
def usage(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("usage")


@pytest.fixture
def events_of_apps(databases: Databases, acme: Provisioned) -> None:
    """Store one event without an app, two of the first app, and three of the second."""
    for app_id, numbers in ((None, [0]), (FIRST_APP, [1, 2]), (SECOND_APP, [3, 4, 5])):
        store_of_app(databases, acme.organization.id, app_id, numbers, at=datetime.now(UTC))


def stats_request(tenant: Tenant, **query: str) -> Event:
    return called_by(with_query(sample("usage", "stats"), **query), tenant)


def groups(usage: Function, tenant: Tenant, **query: str) -> list[dict[str, Any]]:
    answer = answer_of(usage(stats_request(tenant, **query)))
    assert answer.status == 200, answer.body
    data: list[dict[str, Any]] = answer.document["data"]
    return data


def test_event_has_the_app_of_its_write_key(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    answer_of(ingest(post_events(recent_event(1), tenant=replace(ACME, app_id=FIRST_APP))))
    assert is_sdk_success(ingest(segment_batch(segment_call(1), segment_call(2), key=acme.write_key)))

    assert [row.app_id for row in events_in(aws.queue_url)] == [str(FIRST_APP), str(acme.app_id), str(acme.app_id)]


def test_cloud_event_has_the_app_of_its_write_key(ingest: Function, aws: AwsAccount) -> None:
    answer_of(ingest(post_cloud_events([cloud_event(1)], tenant=replace(ACME, app_id=FIRST_APP))))

    assert [row.app_id for row in events_in(aws.queue_url)] == [str(FIRST_APP)]


def test_held_event_has_the_app_of_its_write_key(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    held = segment_call(1, timestamp="1970-01-01T00:00:12Z")

    assert is_sdk_success(ingest(segment_batch(held, key=acme.write_key)))

    assert [row.app_id for row in events_in(aws.queue_url, "held_events")] == [str(acme.app_id)]


def test_event_of_a_secret_key_has_no_app(ingest: Function, aws: AwsAccount) -> None:
    answer_of(ingest(post_events(recent_event(1))))

    assert [row.app_id for row in events_in(aws.queue_url)] == [""]


@pytest.mark.usefixtures("events_of_apps")
@pytest.mark.parametrize("is_settled", [False, True])
def test_statistics_are_grouped_by_app(
    usage: Function, databases: Databases, counters: Redis, acme: Provisioned, *, is_settled: bool
) -> None:
    if is_settled:
        roll_up(databases.platform, databases.clickhouse, counters, now=datetime.now(UTC))

    [total] = groups(usage, tenant_of(acme), group_by="currency")
    found = groups(usage, tenant_of(acme), group_by="app_id")

    assert [(group["app_id"], group["events"], group["revenue"]) for group in found] == [
        (None, 1, {"EUR": "1.25"}),
        (str(FIRST_APP), 2, {"EUR": "2.5"}),
        (str(SECOND_APP), 3, {"EUR": "3.75"}),
    ]
    assert (total["events"], total["revenue"]) == (6, {"EUR": "7.5"})


@pytest.mark.usefixtures("events_of_apps")
def test_statistics_are_filtered_by_app(usage: Function, acme: Provisioned) -> None:
    filters = {"none": 1, str(FIRST_APP): 2, str(SECOND_APP).upper(): 3}

    found = {app_id: groups(usage, tenant_of(acme), group_by="currency", app_id=app_id) for app_id in filters}

    assert {app_id: group["events"] for app_id, [group] in found.items()} == filters


@pytest.mark.usefixtures("events_of_apps")
def test_pages_have_each_app_once(usage: Function, acme: Provisioned) -> None:
    for order in ("key", "events", "revenue", "unique_devices"):
        query = {"group_by": "app_id", "order_by": order, "limit": "1"}
        seen = []
        for _ in range(3):
            answer = answer_of(usage(stats_request(tenant_of(acme), **query))).document
            seen += [group["app_id"] for group in answer["data"]]
            query["cursor"] = answer["pagination"]["next_cursor"]

        assert query["cursor"] is None
        assert set(seen) == {None, str(FIRST_APP), str(SECOND_APP)}


@pytest.mark.usefixtures("events_of_apps")
def test_cursor_of_another_app_is_422(usage: Function, acme: Provisioned) -> None:
    query = {"group_by": "event_name,app_id", "limit": "1"}
    cursor = answer_of(usage(stats_request(tenant_of(acme), **query))).document["pagination"]["next_cursor"]
    request = stats_request(tenant_of(acme), **query, app_id=str(FIRST_APP), cursor=cursor)

    problem_of(usage(request), request, 422, "invalid")


@pytest.mark.usefixtures("events_of_apps")
def test_app_of_another_organization_has_no_events(usage: Function, acme: Provisioned, globex: Provisioned) -> None:
    assert groups(usage, tenant_of(globex), app_id=str(FIRST_APP)) == []
    assert groups(usage, tenant_of(acme), app_id=str(globex.app_id)) == []


@pytest.mark.parametrize("app_id", NOT_APPS)
def test_app_that_is_no_id_is_422(usage: Function, acme: Provisioned, app_id: str) -> None:
    request = stats_request(tenant_of(acme), app_id=app_id)

    problem = problem_of(usage(request), request, 422, "invalid")

    assert [error["location"] for error in problem["errors"]] == ["query/app_id"]
