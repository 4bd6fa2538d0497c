"""The tier of a request is the current one, also while API Gateway has cached the caller."""

from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import Standing
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import put_standing
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, sold
from tests.handlers.functions import Function, Start
from tests.handlers.queues import messages_in, rows_in
from tests.handlers.requests import answer_of, problem_of, recent_event, segment_call
from tests.handlers.sent_events import ACME, is_sdk_success, post_events, segment_batch

STARTER, GROWTH = (QUOTAS[tier].data_retention_days for tier in (Tier.STARTER, Tier.GROWTH))


@pytest.fixture
def ingest(start: Start) -> Function:
    return start("ingest")


def old_event(number: int, days: int) -> dict[str, object]:
    happened_at = datetime.now(UTC) - timedelta(days=days, hours=1)
    return recent_event(number) | {"event_timestamp": happened_at.isoformat()}


def change_tier(counters: Redis, tier: Tier) -> None:
    """Publish the tier of acme to Redis, as a PATCH does."""
    version = int(datetime.now(UTC).timestamp() * 1e6) + 1
    standing = Standing(entitlements=sold(tier), status=OrganizationStatus.ACTIVE, epoch=0, version=version)
    put_standing(counters, ACME.organization_id, standing)


def test_retention_of_the_new_tier_applies_to_the_next_request(ingest: Function, counters: Redis) -> None:
    request = post_events(recent_event(1), old_event(2, STARTER))

    def accepted() -> int:
        return int(answer_of(ingest(request)).document["accepted"])

    assert accepted() == 1
    change_tier(counters, Tier.GROWTH)
    assert accepted() == 2
    change_tier(counters, Tier.STARTER)
    assert accepted() == 1


def test_rejected_old_event_names_the_retention(ingest: Function) -> None:
    answer = answer_of(ingest(post_events(recent_event(1), old_event(2, STARTER))))

    [rejected] = answer.document["rejected"]
    assert (rejected["index"], rejected["event_id"]) == (1, "event-2")
    assert [(error["code"], f"{STARTER} days" in error["message"]) for error in rejected["errors"]] == [
        ("out_of_range", True)
    ]


def test_batch_of_old_events_only_is_422(ingest: Function, aws: AwsAccount) -> None:
    request = post_events(old_event(1, STARTER), old_event(2, GROWTH))

    problem = problem_of(ingest(request), request, 422, "invalid")

    assert len(problem["errors"]) == 2
    assert messages_in(aws.queue_url) == []


@pytest.mark.usefixtures("secrets")
def test_old_call_of_a_sdk_is_held(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    happened_at = (datetime.now(UTC) - timedelta(days=STARTER, hours=1)).isoformat()
    calls = segment_call(1), segment_call(2) | {"timestamp": happened_at}

    assert is_sdk_success(ingest(segment_batch(*calls, key=acme.write_key)))

    queued = [row for message in messages_in(aws.queue_url) for row in rows_in(message["Body"])]
    assert {row.event_id: row.reason for row in queued} == {"message-1": "", "message-2": "clock"}
