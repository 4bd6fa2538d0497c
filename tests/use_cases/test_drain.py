"""The drain stores dead letters by organization, each once."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.dead_letters import MAX_SAMPLES_PER_CAUSE, DeadLetterKind
from tenancy.rules.durations import DEAD_LETTER_RETENTION, ONE_DAY
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.use_cases.dead_letters.drain import drain_messages
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import REGION, Databases
from tests.handlers.functions import superuser
from tests.use_cases.dead_letters import (
    CAUSE,
    NOW,
    bodies,
    call,
    drain,
    frame,
    keys_of,
    letters,
    marks,
    message,
    refuse_keys,
    row,
)
from tests.use_cases.privacy_jobs import time_for, unlimited_time

STORED, REDRIVEN_AND_FAILED = (True, False, False, False), (True, True, True, False)
SET_STATUS = "UPDATE organizations SET status = %s WHERE id = %s"

pytestmark = pytest.mark.usefixtures("aws")


def test_letters_are_stored_under_their_organization(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    sent = [message(each.organization.id, frame(row(each.organization.id, "phone"))) for each in (acme, globex)]

    drained = drain(databases, *sent)

    assert drained.failed == []
    assert bodies() == {f"{each.letter.organization_id}/{each.letter.id}": each.body for each in sent}
    assert marks(databases, acme.organization.id) == marks(databases, globex.organization.id) == [STORED]


def test_message_that_comes_again_is_stored_once(databases: Databases, acme: Provisioned) -> None:
    sent = message(acme.organization.id, "body")

    for _ in range(2):
        drain(databases, sent)

    assert marks(databases, acme.organization.id) == [STORED]


def test_message_that_comes_again_does_not_restore_its_body(databases: Databases, acme: Provisioned) -> None:
    """An erasure may have rewritten the object in between."""
    sent = message(acme.organization.id, "with the subject")
    drain(databases, sent)
    DeadLetterObjects(REGION, "dead-letters", path_style=True).put_body(acme.organization.id, sent.letter.id, "without")

    drain(databases, sent)

    assert list(bodies().values()) == ["without"]


def test_unowned_message_belongs_to_the_platform(databases: Databases, acme: Provisioned) -> None:
    unknown, nameless = message(uuid4(), "unknown"), message(PLATFORM_LOG, "nameless")

    drained = drain(databases, unknown, nameless)

    assert set(bodies()) == {f"{PLATFORM_LOG}/{each.letter.id}" for each in (unknown, nameless)}
    assert {cause.organization_id for cause in drained.counts} == {PLATFORM_LOG}
    assert letters(databases, acme.organization.id) == []


@pytest.mark.parametrize("status", ["erasing", "erased"])
def test_organization_with_a_tombstone_gets_nothing(databases: Databases, acme: Provisioned, status: str) -> None:
    with superuser(databases) as conn:
        conn.execute(SET_STATUS, (status, acme.organization.id))

    drained = drain(databases, message(acme.organization.id, "body"))

    assert (drained.failed, drained.counts.total(), bodies()) == ([], 0, {})
    assert letters(databases, acme.organization.id) == []


def test_deleted_organization_keeps_its_letters(databases: Databases, acme: Provisioned) -> None:
    """It may be restored."""
    with superuser(databases) as conn:
        conn.execute(SET_STATUS, ("deleted", acme.organization.id))

    drain(databases, message(acme.organization.id, "body"))

    assert marks(databases, acme.organization.id) == [STORED]


def test_message_past_its_retention_is_counted_only(databases: Databases, acme: Provisioned) -> None:
    sent = message(acme.organization.id, "body", received_at=NOW - DEAD_LETTER_RETENTION)

    drained = drain(databases, sent)

    assert (drained.counts.total(), bodies()) == (1, {})


def test_letter_that_fails_again_keeps_its_row_and_object(databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    first = message(own, "body")
    drain(databases, first)

    drain(databases, message(own, "body", cause="another", redriven=first.letter.id))

    assert letters(databases, own) == [(first.letter.id, "events", "another", *REDRIVEN_AND_FAILED)]
    assert set(bodies()) == keys_of([first])


def test_letter_that_is_gone_does_not_come_back(databases: Databases, acme: Provisioned) -> None:
    """It expired, or an erasure has deleted it."""
    drain(databases, message(acme.organization.id, "body", redriven=uuid4()))

    assert bodies() == {}


def test_letter_of_another_organization_is_not_marked(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    first = message(acme.organization.id, "body")
    drain(databases, first)

    drain(databases, message(globex.organization.id, "body", redriven=first.letter.id))

    assert marks(databases, acme.organization.id) == [STORED]


def test_sampled_calls_are_limited_per_cause_and_day(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    def calls(cause: str, number: int, now_after: timedelta = timedelta()) -> None:
        sent = [message(own, call("{}"), kind=DeadLetterKind.CALLS, cause=cause) for _ in range(number)]
        drain(databases, *sent, now=NOW + now_after)

    own = globex.organization.id
    calls("missing", 1)
    own = acme.organization.id
    calls("missing", MAX_SAMPLES_PER_CAUSE + 5)
    calls("too_large", 1)
    calls("missing", 1, ONE_DAY)

    assert len(letters(databases, acme.organization.id)) == MAX_SAMPLES_PER_CAUSE + 2
    assert len(letters(databases, globex.organization.id)) == 1


def test_messages_come_again_without_a_bucket(databases: Databases, acme: Provisioned) -> None:
    sent = message(acme.organization.id, "body")
    nowhere = DeadLetterObjects(REGION, "no-such-bucket", path_style=True)

    drained = drain_messages(databases.platform, nowhere, [sent], has_time=unlimited_time, now=NOW)

    assert (drained.failed, drained.counts.total()) == ([sent.message_id], 0)
    assert marks(databases, acme.organization.id) == [(False, False, False, False)]
    drain(databases, sent)
    assert marks(databases, acme.organization.id) == [STORED]


def test_messages_past_the_work_time_come_again(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    """Each call of a silent S3 takes its whole time-out."""
    sent = [message(acme.organization.id, "body") for _ in range(3)] + [message(globex.organization.id, "body")]

    drained = drain(databases, *sent, has_time=time_for(2))  # asked before an organization and before each object

    assert (sorted(drained.failed), drained.counts.total()) == (sorted(each.message_id for each in sent[1:]), 1)
    assert set(bodies()) == keys_of(sent[:1])
    assert drain(databases, *sent).failed == []
    assert set(bodies()) == keys_of(sent)


def test_refused_object_does_not_stop_the_others(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [message(acme.organization.id, "body") for _ in range(3)]

    with monkeypatch.context() as patch:
        refuse_keys(patch, "PutObject", keys_of(sent[:1]))
        drained = drain(databases, *sent)

    assert (drained.failed, drained.counts.total()) == ([sent[0].message_id], 2)
    assert set(bodies()) == keys_of(sent[1:])
    assert marks(databases, acme.organization.id).count(STORED) == 2


def test_causes_are_counted_per_organization(databases: Databases, acme: Provisioned) -> None:
    sent = [message(acme.organization.id, "body") for _ in range(3)]

    drained = drain(databases, *sent)

    assert dict(drained.counts) == {(acme.organization.id, DeadLetterKind.EVENTS, CAUSE): 3}
