"""Drain the dead-letter queues into the bucket of dead letters, by organization.

A row is inserted before its object is stored, and marked after that. So each object has a row, by which it expires or
is erased. A message that is delivered again is not stored again. Reasons: docs/decisions/0044-drained-dead-letters.md.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.dead_letters import DeadLetter, DeadLetterKind
from tenancy.rules.durations import DEAD_LETTER_RETENTION
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.postgres.client import Database
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
    platform_db: Database, objects: DeadLetterObjects, messages: Sequence[DeadMessage], *, now: datetime
) -> Drained:
    """Store the bodies of *messages* under the ids of their organizations, with a row for each.

    Messages of an organization with the status `erasing` or `erased` are discarded, and so are messages past
    `DEAD_LETTER_RETENTION`. A message of an organization that does not exist belongs to the platform.
    """
    drained = Drained()
    try:
        by_organization = _assign(platform_db, messages)
    except UnavailableError:
        drained.failed = [message.message_id for message in messages]
        return drained
    for organization_id, own in by_organization.items():
        try:
            _store(platform_db, objects, organization_id, own, now=now)
        except UnavailableError:
            drained.failed += [message.message_id for message in own]
        else:
            drained.counts.update(_cause_of(message.letter) for message in own)
    return drained


def _cause_of(letter: DeadLetter) -> LetterCause:
    return LetterCause(letter.organization_id, letter.kind, letter.cause)


def _assign(platform_db: Database, messages: Sequence[DeadMessage]) -> Mapping[UUID, Sequence[DeadMessage]]:
    """Return the messages to keep, by organization."""
    with platform_db.transaction() as conn:
        ending = list_ending(conn, {message.letter.organization_id for message in messages})
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
    platform_db: Database,
    objects: DeadLetterObjects,
    organization_id: UUID,
    messages: Collection[DeadMessage],
    *,
    now: datetime,
) -> None:
    """Insert rows, store objects, mark the rows."""
    fresh = [each for each in messages if each.letter.first_received_at > now - DEAD_LETTER_RETENTION]
    with platform_db.tenant_transaction(organization_id) as conn:
        for message in fresh:
            if message.was_redriven:
                update_failed_again(conn, message.letter, now=now)
        to_store = [each for each in fresh if not each.was_redriven and insert_letter(conn, each.letter, now=now)]
    for message in to_store:
        objects.put_body(organization_id, message.letter.id, message.body)
    if to_store:
        with platform_db.tenant_transaction(organization_id) as conn:
            update_stored(conn, organization_id, [message.letter.id for message in to_store], now=now)
