"""Ingest and load that die at any moment: the client sends again, SQS delivers again, and each event is there once."""

from datetime import datetime, timedelta
from itertools import count

import boto3
import msgspec

from tenancy.rules.events.batch import parse_batch
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letters import DeadLetters
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.ingest.ingest_events import enqueue_events, require_room
from tenancy.use_cases.ingest.load import QueuedFrame, load_frames
from tenancy.use_cases.ingest.parse_batch import parse_event_batch
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.crash.deaths import deaths
from tests.given import NOW, OPERATOR, REGION, AwsAccount, Databases, event, new_organization, tenant_of
from tests.handlers.queues import messages_in
from tests.use_cases.storing import count as count_events

EVENTS = 7
SECOND = timedelta(seconds=1)
BODY = msgspec.json.encode({"events": [event(number) for number in range(EVENTS)]})
numbers = count()


class Device:
    """Sends a batch of its organization's, through an ingest and a load that may die."""

    def __init__(
        self, databases: Databases, targets: OutboxTargets, counters: Redis, aws: AwsAccount, queue: EventQueue
    ) -> None:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        self.made = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        self.databases, self.counters, self.aws, self.queue = databases, counters, aws, queue

    def send(self, now: datetime = NOW) -> int:
        """Return how many events were accepted."""
        tenant = tenant_of(self.made)
        reading = parse_event_batch(tenant, parse_batch(BODY), now=now)
        admissions = AdmissionGate(self.counters, lambda: self.databases.functions)
        admission = admissions.admit(tenant, events=len(reading.counted), now=now)
        admission.require_admitted()
        require_room(admission, reading, all_or_nothing=False)
        give_back = lambda: admissions.cancel(tenant, admission, reserved_at=now)  # noqa: E731
        return enqueue_events(self.queue, tenant, reading, admission, give_back).accepted


def frames_in(queue_url: str) -> list[QueuedFrame]:
    return [
        QueuedFrame(
            message_id=message["MessageId"],
            organization_id=message["MessageAttributes"]["organization_id"]["StringValue"],
            table="events",
            text=message["Body"],
        )
        for message in messages_in(queue_url)
    ]


def test_every_event_is_there_once_whenever_ingest_died(
    databases: Databases, targets: OutboxTargets, counters: Redis, aws: AwsAccount, queue: EventQueue
) -> None:
    died = 0
    dead_letters = DeadLetters(AwsClient("sqs", REGION, aws.endpoint_url), aws.dead_letters_url)
    for death in deaths(lambda: Device(databases, targets, counters, aws, queue), Device.send):
        device = death.state
        own = device.made.organization.id
        assert device.send(NOW + SECOND) == EVENTS, death
        assert load_frames(lambda: databases.clickhouse, dead_letters, frames_in(aws.queue_url)) == [], death
        assert count_events(databases, own) == EVENTS, death
        died += 1
    assert died >= 8
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + timedelta(hours=2))
    statement = "SELECT DISTINCT events_count FROM tenant_usage WHERE events_count > 0"
    with databases.platform.transaction() as conn:
        assert conn.execute(statement).fetchall() == [(EVENTS,)]


def test_every_event_is_there_once_whenever_load_died(
    databases: Databases, targets: OutboxTargets, counters: Redis, aws: AwsAccount, queue: EventQueue
) -> None:
    dead_letters = DeadLetters(AwsClient("sqs", REGION, aws.endpoint_url), aws.dead_letters_url)
    died = 0

    def begin() -> tuple[Provisioned, list[QueuedFrame]]:
        device = Device(databases, targets, counters, aws, queue)
        assert device.send() == EVENTS
        return device.made, frames_in(aws.queue_url)

    def load(state: tuple[Provisioned, list[QueuedFrame]]) -> None:
        assert load_frames(lambda: databases.clickhouse, dead_letters, state[1]) == []

    for death in deaths(begin, load):
        load(death.state)  # SQS delivers again
        assert count_events(databases, death.state[0].organization.id) == EVENTS, death
        died += 1
    assert died >= 3
    left = boto3.client("sqs", region_name=REGION).receive_message(QueueUrl=aws.dead_letters_url)
    assert "Messages" not in left
