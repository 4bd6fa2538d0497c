"""Ingest and load that crash at any moment: after the retry each event is stored once."""

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
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, REGION, AwsAccount, Databases, event, new_organization, tenant_of
from tests.handlers.queues import messages_in
from tests.use_cases.storing import count as count_events

EVENTS = 7
SECOND = timedelta(seconds=1)
BODY = msgspec.json.encode({"events": [event(number) for number in range(EVENTS)]})
numbers = count()


class Device:
    """Sends a batch of events of its own organization."""

    def __init__(self, databases: Databases, targets: OutboxTargets, counters: Redis, queue: EventQueue) -> None:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        self.provisioned = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        self.databases, self.counters, self.queue = databases, counters, queue

    def send(self, now: datetime = NOW) -> int:
        """Send the batch and return the number of accepted events."""
        tenant = tenant_of(self.provisioned)
        parsed = parse_event_batch(tenant, parse_batch(BODY), now=now)
        gate = AdmissionGate(self.counters, lambda: self.databases.functions)
        admission = gate.admit(tenant, events=len(parsed.counted), now=now)
        admission.require_admitted()
        require_room(admission, parsed, all_or_nothing=False)
        give_back = lambda: gate.cancel(tenant, admission, reserved_at=now)  # noqa: E731
        return enqueue_events(self.queue, tenant, parsed, admission, give_back).accepted


def dead_letters_of(aws: AwsAccount) -> DeadLetters:
    return DeadLetters(AwsClient("sqs", REGION, aws.endpoint_url), aws.dead_letters_url)


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


def test_crashed_ingest_stores_every_event_once(
    databases: Databases, targets: OutboxTargets, counters: Redis, aws: AwsAccount, queue: EventQueue
) -> None:
    crashed, dead_letters = 0, dead_letters_of(aws)
    for crash in crashes(lambda: Device(databases, targets, counters, queue), Device.send):
        device = crash.state

        assert device.send(NOW + SECOND) == EVENTS, crash
        assert load_frames(lambda: databases.clickhouse, dead_letters, frames_in(aws.queue_url)).given_back == [], crash

        assert count_events(databases, device.provisioned.organization.id) == EVENTS, crash
        crashed += 1
    assert crashed > 5
    require_billed_once(databases, counters)


def require_billed_once(databases: Databases, counters: Redis) -> None:
    """Require that the roll-up counts each event once for every organization."""
    statement = "SELECT DISTINCT events_count FROM tenant_usage WHERE events_count > 0"

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + timedelta(hours=2))

    with databases.platform.transaction() as conn:
        assert conn.execute(statement).fetchall() == [(EVENTS,)]


def test_crashed_load_stores_every_event_once(
    databases: Databases, targets: OutboxTargets, counters: Redis, aws: AwsAccount, queue: EventQueue
) -> None:
    crashed, dead_letters = 0, dead_letters_of(aws)

    def begin() -> tuple[Provisioned, list[QueuedFrame]]:
        device = Device(databases, targets, counters, queue)
        assert device.send() == EVENTS
        return device.provisioned, frames_in(aws.queue_url)

    def load(state: tuple[Provisioned, list[QueuedFrame]]) -> None:
        assert load_frames(lambda: databases.clickhouse, dead_letters, state[1]).given_back == []

    for crash in crashes(begin, load):
        load(crash.state)  # SQS delivers the messages again

        assert count_events(databases, crash.state[0].organization.id) == EVENTS, crash
        crashed += 1
    assert crashed > 1
    received = boto3.client("sqs", region_name=REGION).receive_message(QueueUrl=aws.dead_letters_url)
    assert "Messages" not in received
