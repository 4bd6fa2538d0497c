"""Drain the dead-letter queues into the bucket of dead letters, by organization.

A row is inserted before its object is stored, and marked after that. So each object has a row, by which it expires or
is erased. A message that is delivered again is not stored again. Reasons: docs/decisions/0044-drained-dead-letters.md.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.dead_letters import DeadLetter, DeadLetterKind
from tenancy.rules.durations import DEAD_LETTER_RETENTION
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.postgres.homes import Homes, transactions_for
from tenancy.stores.postgres.platform.dead_letters import (
    insert_letter,
    list_ending,
    update_failed_again,
    update_stored,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMessage:
    """A message of a dead-letter queue: its letter and its body.

    *was_redriven*: the letter was sent back before, and its row and object exist unless they expired or were erased.
    """

    message_id: str
    letter: DeadLetter
    body: str
    was_redriven: bool


class LetterCause(NamedTuple):
    """The organization, kind and cause of dead letters."""

    organization_id: UUID
    kind: DeadLetterKind
    cause: str


@dataclass(slots=True)
class Drained:
    """The result of a batch.

    *failed* are the ids of messages that SQS must deliver again. *counts* has the drained messages by cause. A message
    that is delivered again counts again.
    """

    failed: list[str] = field(default_factory=list)
    counts: Counter[LetterCause] = field(default_factory=Counter)


def drain_messages(
    platform_db: Homes,
    objects: DeadLetterObjects,
    messages: Sequence[DeadMessage],
    *,
    has_time: Callable[[], bool],
    now: datetime,
) -> Drained:
    """Store the bodies of *messages* under the ids of their organizations, with a row for each.

    Messages of an organization with the status `erasing` or `erased` are discarded, and so are messages past
    `DEAD_LETTER_RETENTION`. A message of an organization that does not exist belongs to the platform. Messages that
    are not stored while there is time have failed, and so has a message whose object S3 did not store.
    """
    drained = Drained()
    try:
        by_organization = _assign(platform_db, messages)
    except UnavailableError:
        drained.failed = [message.message_id for message in messages]
        return drained
    for organization_id, own in by_organization.items():
        failed: Collection[DeadMessage] = own
        if has_time():
            with suppress(UnavailableError):
                failed = _store(platform_db, objects, organization_id, own, has_time=has_time, now=now)
        again = {message.message_id for message in failed}
        drained.failed += again
        drained.counts.update(_cause_of(message.letter) for message in own if message.message_id not in again)
    return drained


def _cause_of(letter: DeadLetter) -> LetterCause:
    return LetterCause(letter.organization_id, letter.kind, letter.cause)


def _assign(platform_db: Homes, messages: Sequence[DeadMessage]) -> Mapping[UUID, Sequence[DeadMessage]]:
    """Return the messages to keep, by organization."""
    ending: dict[UUID, bool] = {}
    organization_ids = {message.letter.organization_id for message in messages}
    for transaction, own in transactions_for(platform_db, organization_ids, lambda organization_id: organization_id):
        with transaction as conn:
            ending |= list_ending(conn, own)
    assigned: dict[UUID, list[DeadMessage]] = defaultdict(list)
    for message in messages:
        organization_id = message.letter.organization_id
        if organization_id not in ending:
            assigned[PLATFORM_LOG].append(_for_platform(message))
        elif not ending[organization_id]:
            assigned[organization_id].append(message)
    return assigned


def _for_platform(message: DeadMessage) -> DeadMessage:
    return replace(message, letter=replace(message.letter, organization_id=PLATFORM_LOG))


def _store(
    platform_db: Homes,
    objects: DeadLetterObjects,
    organization_id: UUID,
    messages: Collection[DeadMessage],
    *,
    has_time: Callable[[], bool],
    now: datetime,
) -> Collection[DeadMessage]:
    """Insert rows, store objects, mark their rows. Return the messages without an object.

    Raises:
        UnavailableError: the database is unreachable. All of the messages come again.
    """
    fresh = [each for each in messages if each.letter.first_received_at > now - DEAD_LETTER_RETENTION]
    with platform_db.tenant_transaction(organization_id) as conn:
        for message in fresh:
            if message.was_redriven:
                update_failed_again(conn, message.letter, now=now)
        to_store = [each for each in fresh if not each.was_redriven and insert_letter(conn, each.letter, now=now)]
    stored: list[DeadMessage] = []
    failed: list[DeadMessage] = []
    for message in to_store:
        is_stored = has_time() and _put(objects, organization_id, message)
        (stored if is_stored else failed).append(message)
    if stored:
        with platform_db.tenant_transaction(organization_id) as conn:
            update_stored(conn, organization_id, [message.letter.id for message in stored], now=now)
    return failed


def _put(objects: DeadLetterObjects, organization_id: UUID, message: DeadMessage) -> bool:
    """Store the object of *message*, and return whether S3 has it. A failure does not stop the other messages."""
    try:
        objects.put_body(organization_id, message.letter.id, message.body)
    except UnavailableError:
        return False
    return True
