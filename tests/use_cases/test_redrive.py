"""Dead letters are sent back to their queues once, for living organizations, and audited."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tenancy.errors import ConflictError, ErasedError, NotFoundError, TransitionNotAllowedError, UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.dead_letters import DeadLetterKind
from tenancy.rules.durations import DEAD_LETTER_RETENTION, REDRIVE_LEASE_TIME
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.redrive_queue import RedriveQueue
from tenancy.use_cases.dead_letters.redrive import Redrive, RedriveTargets, redrive_dead_letters
from tenancy.use_cases.organizations.provision import Provisioned
from tests.crash.crashes import CrashedError, process
from tests.given import OPERATOR, REGION, AwsAccount, Databases
from tests.handlers.functions import superuser
from tests.handlers.queues import messages_in
from tests.use_cases.dead_letters import NOW, OBJECTS, call, drain, frame, letters, marks, message, row
from tests.use_cases.privacy_jobs import HasTime, time_for, unlimited_time

SECOND = timedelta(seconds=1)
REDRIVEN = (True, True, False, False)
LIST_AUDIT = """
    SELECT action, target FROM audit_log WHERE organization_id = %s AND action LIKE 'dead_letters.%%' ORDER BY sequence
"""
STARTED, DONE = "dead_letters.redrive_started", "dead_letters.redriven"


@pytest.fixture
def redrive_targets(aws: AwsAccount) -> Iterator[RedriveTargets]:
    client = AwsClient("sqs", REGION, aws.endpoint_url)
    yield RedriveTargets(
        objects=OBJECTS,
        events=RedriveQueue(client, aws.queue_url),
        audit=RedriveQueue(client, aws.audit_queue_url),
    )
    client.close()


def redrive(
    databases: Databases,
    targets: RedriveTargets,
    organization_id: UUID,
    has_time: HasTime = unlimited_time,
    now: datetime = NOW,
) -> Redrive:
    return redrive_dead_letters(databases.platform, targets, organization_id, OPERATOR, has_time=has_time, now=now)


def audited(databases: Databases, organization_id: UUID) -> list[tuple[str, str]]:
    """Return action and target of each audit record of a redrive."""
    with superuser(databases) as conn:
        return conn.execute(LIST_AUDIT, (organization_id,)).fetchall()


def attributes_of(sent: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in sent["MessageAttributes"].items()}


def test_letter_is_sent_back_with_its_marks(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    own = acme.organization.id
    letter = message(own, frame(row(own, "phone")), kind=DeadLetterKind.HELD_EVENTS)
    drain(databases, letter)

    assert redrive(databases, redrive_targets, own) == Redrive(redriven=1, waiting=0)

    [sent] = messages_in(aws.queue_url)
    assert sent["Body"] == letter.body
    assert attributes_of(sent) == {
        "organization_id": str(own),
        "table": "held_events",
        "events": "1",
        "dead_letter_id": str(letter.letter.id),
        "first_received_at": str(int(letter.letter.first_received_at.timestamp() * 1000)),
    }
    assert marks(databases, own) == [REDRIVEN]


def test_letter_is_redriven_once(databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, first := message(own, "body"))
    redrive(databases, redrive_targets, own)
    drain(databases, message(own, "body", redriven=first.letter.id))

    assert redrive(databases, redrive_targets, own) == Redrive(redriven=0, waiting=0)


def test_letter_that_failed_before_its_mark_is_not_sent_again(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned
) -> None:
    """The process died after it had sent the letter."""
    own = acme.organization.id
    drain(databases, first := message(own, "body"))
    drain(databases, message(own, "body", redriven=first.letter.id))

    assert redrive(databases, redrive_targets, own) == Redrive(redriven=0, waiting=0)


def test_audit_record_goes_back_to_its_queue(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    for owner in (acme.organization.id, PLATFORM_LOG):
        drain(databases, message(owner, "{}", kind=DeadLetterKind.AUDIT))

        assert redrive(databases, redrive_targets, owner) == Redrive(redriven=1, waiting=0)

        [sent] = messages_in(aws.audit_queue_url)
        assert attributes_of(sent)["organization_id"] == str(owner)
    assert messages_in(aws.queue_url) == []


def test_calls_and_unowned_frames_are_not_redriven(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, message(own, call("{}"), kind=DeadLetterKind.CALLS), message(PLATFORM_LOG, "frame"))

    for owner in (own, PLATFORM_LOG):
        assert redrive(databases, redrive_targets, owner) == Redrive(redriven=0, waiting=0)


def test_redrive_is_of_one_organization(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned, globex: Provisioned
) -> None:
    drain(databases, message(acme.organization.id, "body"), message(globex.organization.id, "body"))

    redrive(databases, redrive_targets, acme.organization.id)

    assert marks(databases, globex.organization.id) == [(True, False, False, False)]


def test_redrive_that_runs_out_of_time_leaves_the_rest(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, *(message(own, "body") for _ in range(12)))

    # asked before letters are read and before they are sent
    assert redrive(databases, redrive_targets, own, time_for(1)) == Redrive(redriven=0, waiting=12)
    assert redrive(databases, redrive_targets, own, time_for(2)) == Redrive(redriven=10, waiting=2)
    assert redrive(databases, redrive_targets, own) == Redrive(redriven=2, waiting=0)
    # unsealed records have no order
    assert sorted(target for action, target in audited(databases, own) if action == DONE) == [
        "0 dead letters",
        "10 dead letters",
        "2 dead letters",
    ]


def test_ten_letters_are_sent_in_one_call(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, *(message(own, f"body {number}") for number in range(25)))

    with process() as running:
        done = redrive(databases, redrive_targets, own)

    assert done == Redrive(redriven=25, waiting=0)
    assert sum(call.startswith("AWS SendMessageBatch") for call in running.calls) == 3
    assert sorted(each["Body"] for each in messages_in(aws.queue_url)) == sorted(f"body {n}" for n in range(25))


def test_large_letters_are_sent_in_several_calls(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    """A call has at most 256 KiB."""
    own = acme.organization.id
    drain(databases, *(message(own, str(number) * 150_000) for number in range(3)))

    assert redrive(databases, redrive_targets, own) == Redrive(redriven=3, waiting=0)
    assert sorted(each["Body"][0] for each in messages_in(aws.queue_url)) == ["0", "1", "2"]


def test_second_redrive_at_the_same_time_is_refused(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    own, other = acme.organization.id, globex.organization.id
    drain(databases, *(message(own, "body") for _ in range(3)), message(other, "other"))

    def redrive_beside() -> bool:
        with pytest.raises(ConflictError, match="Another redrive"):
            redrive(databases, redrive_targets, own)
        redrive(databases, redrive_targets, other)
        return True

    assert redrive(databases, redrive_targets, own, redrive_beside) == Redrive(redriven=3, waiting=0)
    assert sorted(each["Body"] for each in messages_in(aws.queue_url)) == ["body"] * 3 + ["other"]


def test_redrive_that_died_holds_its_lease_for_a_minute(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, message(own, "body"))
    with process(max_changes=1) as running, pytest.raises(CrashedError):
        redrive(databases, redrive_targets, own)
    assert running.is_crashed

    with pytest.raises(ConflictError):
        redrive(databases, redrive_targets, own, now=NOW + REDRIVE_LEASE_TIME - SECOND)
    assert redrive(databases, redrive_targets, own, now=NOW + REDRIVE_LEASE_TIME) == Redrive(redriven=1, waiting=0)


def test_letter_that_sqs_rejects_does_not_stop_the_others(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = acme.organization.id
    bad = message(own, "bad", received_at=NOW - timedelta(days=1))
    drain(databases, bad, *(message(own, "body") for _ in range(11)))

    with monkeypatch.context() as patch:
        reject_entry(patch, str(bad.letter.id))
        with pytest.raises(UnavailableError, match="SQS rejected 1 dead letter\\."):
            redrive(databases, redrive_targets, own)

    assert marks(databases, own).count(REDRIVEN) == 11
    assert audited(databases, own)[-1] == (DONE, "11 dead letters")
    assert redrive(databases, redrive_targets, own) == Redrive(redriven=1, waiting=0)


def reject_entry(monkeypatch: pytest.MonkeyPatch, entry_id: str) -> None:
    """Let SQS reject one entry of a call. It answers 200 all the same."""
    send = AwsClient.call

    def rejecting(client: AwsClient, target: str, document: dict[str, Any], **named: str) -> dict[str, Any]:
        entries = [each for each in document["Entries"] if each["Id"] != entry_id]
        return send(client, target, {**document, "Entries": entries}, **named)

    monkeypatch.setattr(AwsClient, "call", rejecting)


def test_failed_redrive_records_the_letters_that_it_sent(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, message(own, "frame"), message(own, "{}", kind=DeadLetterKind.AUDIT))
    client = AwsClient("sqs", REGION, aws.endpoint_url)
    targets = replace(redrive_targets, audit=RedriveQueue(client, f"{aws.audit_queue_url}-gone"))

    with pytest.raises(UnavailableError):
        redrive(databases, targets, own)
    client.close()

    assert audited(databases, own) == [(STARTED, "at most 2 dead letters"), (DONE, "1 dead letter")]
    assert redrive(databases, redrive_targets, own) == Redrive(redriven=1, waiting=0)


def test_redrive_is_audited_if_there_is_a_letter(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned
) -> None:
    own = acme.organization.id
    redrive(databases, redrive_targets, own)
    drain(databases, message(own, "body"))

    redrive(databases, redrive_targets, own)

    assert audited(databases, own) == [(STARTED, "at most 1 dead letter"), (DONE, "1 dead letter")]


def test_letter_without_an_object_is_marked(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, message(own, "body"))
    OBJECTS.delete_all(own)

    assert redrive(databases, redrive_targets, own) == Redrive(redriven=0, waiting=0)
    assert marks(databases, own) == [(True, False, False, True)]
    assert messages_in(aws.queue_url) == []


def test_expired_letter_is_not_redriven(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned
) -> None:
    own = acme.organization.id
    received_at = NOW - DEAD_LETTER_RETENTION
    drain(databases, message(own, "body", received_at=received_at), now=received_at)

    assert redrive(databases, redrive_targets, own) == Redrive(redriven=0, waiting=0)


@pytest.mark.parametrize(
    ("status", "error"),
    [("deleted", TransitionNotAllowedError), ("erasing", TransitionNotAllowedError), ("erased", ErasedError)],
)
def test_letters_of_a_deleted_organization_are_not_redriven(
    databases: Databases, redrive_targets: RedriveTargets, acme: Provisioned, status: str, error: type[Exception]
) -> None:
    own = acme.organization.id
    drain(databases, message(own, "body"))
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = %s WHERE id = %s", (status, own))

    with pytest.raises(error):
        redrive(databases, redrive_targets, own)

    assert marks(databases, own) == [(True, False, False, False)]


def test_unknown_organization_is_not_found(databases: Databases, redrive_targets: RedriveTargets) -> None:
    with pytest.raises(NotFoundError):
        redrive(databases, redrive_targets, UUID(int=1))


def test_letters_wait_without_a_queue(
    databases: Databases, redrive_targets: RedriveTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    own = acme.organization.id
    drain(databases, message(own, "body"))
    client = AwsClient("sqs", REGION, aws.endpoint_url)
    gone = RedriveQueue(client, f"{aws.queue_url}-gone")
    targets = RedriveTargets(objects=OBJECTS, events=gone, audit=redrive_targets.audit)

    with pytest.raises(UnavailableError):
        redrive(databases, targets, own)
    client.close()

    assert [found[4] for found in letters(databases, own)] == [False]
    assert redrive(databases, redrive_targets, own) == Redrive(redriven=1, waiting=0)
