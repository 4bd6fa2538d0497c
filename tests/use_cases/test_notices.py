"""Each threshold of a quota is announced once per period and metric."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto.ses.models import ses_backends

from tenancy.rules.quotas import Metric
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.enqueue_quota_notices import enqueue_quota_notices
from tenancy.use_cases.usage.meter import record_usage
from tests.given import REGION, STACK_NAME, AwsAccount, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW

STARTER = QUOTAS[Tier.STARTER]
ACCOUNT = "123456789012"
INSERT_USER = "INSERT INTO users (id, organization_id, email, role, status) VALUES (gen_random_uuid(), %s, %s, %s, %s)"

type Announced = list[tuple[str, str]]


@pytest.fixture
def bus(aws: AwsAccount) -> Callable[[], list[dict[str, object]]]:
    """Return a function that takes the events of the event bus from a queue of its own rule."""
    events, sqs = boto3.client("events", region_name=REGION), boto3.client("sqs", region_name=REGION)
    queue_url = sqs.create_queue(QueueName="notices")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="notices", EventPattern=json.dumps({"source": [f"tenancy.{STACK_NAME}"]}))
    events.put_targets(Rule="notices", Targets=[{"Id": "queue", "Arn": arn}])
    assert aws.endpoint_url

    def take_events() -> list[dict[str, object]]:
        found = []
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    return take_events


def send_notices(databases: Databases, targets: OutboxTargets, now: datetime = NOW) -> Announced:
    """Run the notices and the outbox, and return address and subject of each mail."""
    backend = ses_backends[ACCOUNT][REGION]
    before = len(backend.sent_messages)
    enqueue_quota_notices(databases.platform, now=now)
    run_due_entries(databases.platform, targets, now=now)
    sent = backend.sent_messages[before:]
    return sorted((message.destinations["ToAddresses"][0], message.subject) for message in sent)


def use(databases: Databases, provisioned: Provisioned, events: int, *, at: datetime = NOW) -> None:
    statement = """
        INSERT INTO tenant_usage (organization_id, metric_date, events_count) VALUES (%s, %s, %s)
        ON CONFLICT (organization_id, metric_date) DO UPDATE SET events_count = excluded.events_count
    """
    with superuser(databases) as conn:
        conn.execute(statement, (provisioned.organization.id, at.date(), events))


def test_both_thresholds_are_announced_once_to_active_admins(
    databases: Databases,
    counters: Redis,
    targets: OutboxTargets,
    acme: Provisioned,
    globex: Provisioned,
    bus: Callable[[], list[dict[str, object]]],
) -> None:
    with superuser(databases) as conn:
        for email, role, status in (
            ("second@acme.example", "admin", "active"),
            ("gone@acme.example", "admin", "disabled"),
            ("reader@acme.example", "viewer", "active"),
        ):
            conn.execute(INSERT_USER, (acme.organization.id, email, role, status))
    use(databases, globex, 10)
    use(databases, acme, STARTER.events_per_month + 5)

    for _ in range(2):
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    expected = [
        (address, f"{percent} % of your quota of events is used")
        for address in ("admin@acme.example", "second@acme.example")
        for percent in (100, 80)
    ]
    assert send_notices(databases, targets) == expected

    announced = bus()
    assert {event["detail-type"] for event in announced} == {"Quota threshold reached"}

    details = sorted((event["detail"] for event in announced), key=lambda each: each["percent"])  # type: ignore[index]
    assert details == [
        {
            "organization_id": str(acme.organization.id),
            "metric": "events",
            "percent": percent,
            "used": STARTER.events_per_month + 5,
            "limit": STARTER.events_per_month,
            "period": "2026-11-01",
        }
        for percent in (80, 100)
    ]

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + timedelta(hours=1))

    assert send_notices(databases, targets) == []
    assert bus() == []


def test_threshold_goes_by_the_override(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        use(databases, provisioned, 8)
    with superuser(databases) as conn:
        statement = "UPDATE organizations SET overrides = '{\"events_per_month\": 10}' WHERE id = %s"
        conn.execute(statement, (acme.organization.id,))

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert send_notices(databases, targets) == [("admin@acme.example", "80 % of your quota of events is used")]


def test_threshold_is_announced_once_in_each_month(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned
) -> None:
    october = datetime(2026, 10, 20, tzinfo=UTC)
    use(databases, acme, STARTER.events_per_month * 8 // 10, at=october)

    roll_up(databases.platform, databases.clickhouse, counters, now=october)

    assert send_notices(databases, targets) == [("admin@acme.example", "80 % of your quota of events is used")]

    use(databases, acme, STARTER.events_per_month * 8 // 10 - 1)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert send_notices(databases, targets) == []

    use(databases, acme, STARTER.events_per_month * 8 // 10)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert send_notices(databases, targets) == [("admin@acme.example", "80 % of your quota of events is used")]


def test_roll_up_announces_requests_and_stored_bytes(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned
) -> None:
    management = STARTER.api_requests_per_month
    with superuser(databases) as conn:
        conn.execute(
            "INSERT INTO tenant_usage (organization_id, metric_date, api_requests_count, management_requests_count) "
            "VALUES (%s, %s, %s, %s)",
            (acme.organization.id, NOW.date(), management + STARTER.ingest_requests_per_month * 8 // 10, management),
        )
        total = (acme.organization.id, STARTER.storage_bytes * 9 // 10)
        conn.execute("INSERT INTO usage_totals VALUES (%s, 'storage_bytes', '1970-01-01', %s)", total)

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert [subject for _, subject in send_notices(databases, targets)] == [
        "100 % of your quota of api_requests is used",
        "80 % of your quota of api_requests is used",
        "80 % of your quota of ingest_requests is used",
        "80 % of your quota of storage_bytes is used",
    ]


def test_usage_report_announces_its_threshold(databases: Databases, targets: OutboxTargets, acme: Provisioned) -> None:
    tenant = tenant_of(acme)
    amount = STARTER.ml_predictions_per_month * 8 // 10

    record_usage(databases.functions, tenant, Metric.ML_PREDICTIONS, amount, idempotency_key=None, now=NOW)

    assert send_notices(databases, targets) == [("admin@acme.example", "80 % of your quota of ml_predictions is used")]

    record_usage(databases.functions, tenant, Metric.ML_PREDICTIONS, 1, idempotency_key=None, now=NOW)
    assert send_notices(databases, targets) == []


def test_crashed_announcement_is_repeated_and_sent_once(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    amount = STARTER.ml_predictions_per_month * 8 // 10
    record_usage(databases.functions, tenant_of(acme), Metric.ML_PREDICTIONS, amount, idempotency_key=None, now=NOW)

    for step in ("update_announced", "list_admins", "insert_outbox_entry"):
        with monkeypatch.context() as patch:

            def die(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(f"tenancy.use_cases.usage.enqueue_quota_notices.{step}", die)
            with pytest.raises(KeyboardInterrupt):
                enqueue_quota_notices(databases.platform, now=NOW)

    assert enqueue_quota_notices(databases.platform, now=NOW) == 1
    assert send_notices(databases, targets) == [("admin@acme.example", "80 % of your quota of ml_predictions is used")]


@pytest.mark.parametrize(
    ("url", "text"),
    [(None, "Ask the platform operator for a larger tier"), ("https://billing.example/", "https://billing.example/")],
)
def test_mail_about_a_quota_says_where_to_upgrade(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, url: str | None, text: str
) -> None:
    record_usage(databases.functions, tenant_of(acme), Metric.ML_PREDICTIONS, 8_000, idempotency_key=None, now=NOW)

    send_notices(databases, replace(targets, upgrade_url=url))

    assert text in ses_backends[ACCOUNT][REGION].sent_messages[-1].body
