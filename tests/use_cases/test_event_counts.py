"""Each event counts once from the request to the report, also if it is sent again."""

from collections.abc import Callable, Sequence
from datetime import datetime

import boto3
import msgspec
import pytest

from tenancy.errors import InvalidError
from tenancy.rules.events.batch import Batch
from tenancy.rules.quotas import Metric
from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.usage import Period
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letters import DeadLetters
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.ingest.ingest_events import Receipt, enqueue_events
from tenancy.use_cases.ingest.load import QueuedFrame, load_frames
from tenancy.use_cases.ingest.parse_batch import parse_event_batch
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.read_statistics import read_statistics
from tenancy.use_cases.usage.read_usage import UsageReport, read_usage
from tests.given import NOW, REGION, AwsAccount, Databases, event, tenant_of

type Send = Callable[..., Receipt]


@pytest.fixture
def send(queue: EventQueue, counters: Redis, databases: Databases) -> Send:
    admissions = AdmissionGate(counters, lambda: databases.functions)

    def send_events(tenant: AdmittedTenant, events: Sequence[dict[str, object]], *, now: datetime = NOW) -> Receipt:
        reading = parse_event_batch(tenant, Batch([msgspec.Raw(msgspec.json.encode(e)) for e in events]), now=now)
        admission = admissions.admit(tenant, events=len(reading.counted), now=now)
        return enqueue_events(queue, tenant, reading, admission, lambda: None)

    return send_events


def drain_queue(aws: AwsAccount, databases: Databases) -> list[str]:
    """Load all messages of the queue, as the function does, and return those to redeliver."""
    sqs = boto3.client("sqs", region_name=REGION)
    dead_letters = DeadLetters(AwsClient("sqs", REGION, aws.endpoint_url), aws.dead_letters_url)
    again: list[str] = []
    while messages := sqs.receive_message(
        QueueUrl=aws.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        frames = [
            QueuedFrame(
                message_id=message["MessageId"],
                organization_id=message["MessageAttributes"]["organization_id"]["StringValue"],
                table="held_events"
                if message["MessageAttributes"]["table"]["StringValue"] == "held_events"
                else "events",
                text=message["Body"],
            )
            for message in messages
        ]
        again += load_frames(lambda: databases.clickhouse, dead_letters, frames).given_back
        for message in messages:
            sqs.delete_message(QueueUrl=aws.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return again


def usage_of(databases: Databases, tenant: AdmittedTenant) -> UsageReport:
    reader = TenantReader(databases.clickhouse, tenant.organization_id)
    return read_usage(databases.functions, reader, tenant.organization_id, tenant.entitlements, None, now=NOW)


def test_each_event_counts_once_before_and_after_the_roll_up(
    databases: Databases, counters: Redis, aws: AwsAccount, acme: Provisioned, globex: Provisioned, send: Send
) -> None:
    tenants = tenant_of(acme), tenant_of(globex)
    events = [event(number) for number in range(250)]

    for tenant in tenants:
        send(tenant, events[:100])
        send(tenant, events[100:])
        send(tenant, events[:170])
        send(tenant, events[170:])

    assert drain_queue(aws, databases) == []

    for ran in (False, True):
        if ran:
            assert roll_up(databases.platform, databases.clickhouse, counters, now=NOW).organizations == 2
        for tenant in tenants:
            report = usage_of(databases, tenant)

            assert report.quotas[Metric.EVENTS].used == 250
            assert [(day.metric_date.isoformat(), day.events, day.unique_users) for day in report.daily] == [
                ("2026-11-24", 250, 10)
            ]

            period = Period(start=NOW.date().replace(day=1), end=NOW.date())
            query = StatisticsQuery(period=period, group_by=["day", "event_name"])
            [group] = read_statistics(databases.functions, lambda: databases.clickhouse, tenant, query, now=NOW).rows

            assert (str(group.day), group.event_name) == ("2026-11-20", "Order Completed")
            assert (group.events, group.unique_devices) == (250, 10)
            assert {currency: str(amount) for currency, amount in group.revenue.items()} == {"EUR": "312.500000"}


def test_resent_event_with_other_revenue_changes_nothing(
    databases: Databases, aws: AwsAccount, acme: Provisioned, send: Send
) -> None:
    tenant = tenant_of(acme)
    send(tenant, [event(1)])
    send(tenant, [event(1, revenue="999")], now=NOW.replace(microsecond=1000))

    drain_queue(aws, databases)

    reader = TenantReader(databases.clickhouse, tenant.organization_id)
    rows = reader.query("SELECT revenue, properties FROM events FINAL WHERE organization_id = {organization_id:UUID}")
    assert [str(revenue) for revenue, _ in rows] == ["1.250000"]
    assert msgspec.json.decode(rows[0][1]) == event(1)["properties"]


def test_batch_without_a_valid_event_changes_nothing(acme: Provisioned, send: Send, aws: AwsAccount) -> None:
    with pytest.raises(InvalidError) as refusal:
        send(tenant_of(acme), [event(1, revenue="1e12"), event(2, event_name="")])
    assert [error.location for error in refusal.value.errors] == ["body/events/0/revenue", "body/events/1/event_name"]

    attributes = boto3.client("sqs", region_name=REGION).get_queue_attributes(
        QueueUrl=aws.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    assert attributes == {"ApproximateNumberOfMessages": "0"}
