"""The drain and the redrive of dead letters that crash at any moment."""

from datetime import datetime
from uuid import UUID

import pytest

from tenancy.rules.durations import REDRIVE_LEASE_TIME
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letters import DeadLetters
from tenancy.stores.aws.redrive_queue import RedriveQueue
from tenancy.use_cases.dead_letters.drain import DeadMessage
from tenancy.use_cases.dead_letters.redrive import RedriveTargets, redrive_dead_letters
from tenancy.use_cases.ingest.load import load_frames
from tenancy.use_cases.organizations.provision import Provisioned
from tests.crash.crashes import crashes
from tests.crash.test_ingest import frames_in
from tests.given import OPERATOR, REGION, AwsAccount, Databases
from tests.use_cases.dead_letters import NOW, OBJECTS, bodies, drain, frame, letters, marks, message, row
from tests.use_cases.privacy_jobs import run_jobs, unlimited_time
from tests.use_cases.storing import count as count_events

pytestmark = pytest.mark.exhaustive

LETTERS = 2
STORED, REDRIVEN = (True, False, False, False), (True, True, False, False)
EXPIRE_LETTERS = "UPDATE dead_letters SET expires_at = %s WHERE organization_id = %s"

type Sent = tuple[UUID, list[DeadMessage]]


@pytest.fixture
def redrive_targets(aws: AwsAccount) -> RedriveTargets:
    client = AwsClient("sqs", REGION, aws.endpoint_url)
    events, audit = RedriveQueue(client, aws.queue_url), RedriveQueue(client, aws.audit_queue_url)
    return RedriveTargets(objects=OBJECTS, events=events, audit=audit)


def poison(organization_id: UUID) -> list[DeadMessage]:
    return [message(organization_id, frame(row(organization_id, "phone"))) for _ in range(LETTERS)]


@pytest.mark.usefixtures("aws")
def test_crashed_drain_stores_each_letter_once(databases: Databases, acme: Provisioned) -> None:
    own, crashed, sent_before = acme.organization.id, 0, 0

    for crash in crashes(lambda: poison(own), lambda sent: drain(databases, *sent)):
        keys = {f"{own}/{letter_id}" for letter_id, *_ in letters(databases, own)}
        assert set(bodies()) <= keys, crash  # no object is without a row

        drained = drain(databases, *crash.state)  # SQS delivers the messages again

        sent_before += LETTERS
        assert (drained.failed, drained.counts.total()) == ([], LETTERS), crash
        assert marks(databases, own) == [STORED] * sent_before, crash
        assert len(bodies()) == sent_before, crash
        crashed += 1
    assert crashed > 3


def test_crashed_redrive_counts_each_event_once(
    databases: Databases, aws: AwsAccount, acme: Provisioned, redrive_targets: RedriveTargets
) -> None:
    own, crashed, events = acme.organization.id, 0, 0
    dead_letters = DeadLetters(AwsClient("sqs", REGION, aws.endpoint_url), aws.dead_letters_url)

    def begin() -> None:
        drain(databases, *poison(own))

    def redrive(_: None = None, now: datetime = NOW) -> None:
        redrive_dead_letters(databases.platform, redrive_targets, own, OPERATOR, has_time=unlimited_time, now=now)

    for crash in crashes(begin, redrive):
        redrive(now=NOW + REDRIVE_LEASE_TIME)  # by then the lease of the crashed process has ended

        events += LETTERS
        assert load_frames(lambda: databases.clickhouse, dead_letters, frames_in(aws.queue_url)).given_back == [], crash
        assert count_events(databases, own) == events, crash
        assert marks(databases, own) == [REDRIVEN] * events, crash
        crashed += 1
    assert crashed > 4


@pytest.mark.usefixtures("aws")
def test_crashed_expiry_is_completed(databases: Databases, acme: Provisioned) -> None:
    own, crashed = acme.organization.id, 0

    def begin() -> None:
        drain(databases, *poison(own))
        with databases.platform.tenant_transaction(own) as conn:
            conn.execute(EXPIRE_LETTERS, (NOW, own))

    for crash in crashes(begin, lambda _: run_jobs(databases, NOW)):
        run_jobs(databases, NOW)

        assert (bodies(), letters(databases, own)) == ({}, []), crash
        crashed += 1
    assert crashed > 1
