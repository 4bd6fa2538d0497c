"""Send dead letters back to the queues that they came from, each once.

One redrive of an organization runs at a time, by a lease. A letter is marked after it was sent. A process that dies
between the two has sent at most one call of SQS without marks, and the next redrive sends these letters again: load
counts an event once, and an audit record is written once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, TransitionNotAllowedError, UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG, Actor, AuditRecord
from tenancy.rules.dead_letters import FRAMES, DeadLetter
from tenancy.rules.durations import REDRIVE_LEASE_TIME
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import require_existing
from tenancy.stores.aws.dead_letter_objects import READ_AT_ONCE, DeadLetterObjects
from tenancy.stores.aws.redrive_queue import FoundLetter, RedriveQueue, split_into_calls
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.dead_letters import (
    count_redrivable,
    list_redrivable,
    update_deleted,
    update_redriven,
)
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.organizations import find_organization

DEAD_LETTERS_REDRIVE_STARTED: Final = "dead_letters.redrive_started"
DEAD_LETTERS_REDRIVEN: Final = "dead_letters.redriven"
REDRIVEN_AT_ONCE: Final = 500
ALIVE: Final = frozenset({OrganizationStatus.ACTIVE, OrganizationStatus.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveTargets:
    """The bucket of dead letters, and the queues of events and of audit records."""

    objects: DeadLetterObjects
    events: RedriveQueue
    audit: RedriveQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """The number of letters that were sent back, and of those that are left for another call."""

    redriven: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The redrive of one organization. *holder* holds its lease."""

    organization_id: UUID
    actor: Actor
    holder: UUID
    now: datetime

    @property
    def lease(self) -> str:
        return f"redrive {self.organization_id}"

    def record(self, action: str, target: str) -> AuditRecord:
        return AuditRecord.done(action, target, self.actor, now=self.now)


def redrive_dead_letters(
    platform_db: Homes,
    targets: RedriveTargets,
    organization_id: UUID,
    actor: Actor,
    *,
    has_time: Callable[[], bool],
    now: datetime,
) -> Redrive:
    """Send the dead letters of an organization or of the platform back to their queues.

    Letters are sent while *has_time*. An audit record is written before the first letter is sent, and another one with
    the number of sent letters at the end, also after a failure.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        TransitionNotAllowedError: the organization is deleted.
        ConflictError: another redrive of the organization is running, or has died within `REDRIVE_LEASE_TIME`. Nothing
            was sent.
        UnavailableError: a store is unreachable, or SQS rejected letters. A later call sends the rest.
    """
    request = _Request(organization_id=organization_id, actor=actor, holder=uuid4(), now=now)
    letters = _begin(platform_db, request)
    redriven = 0
    try:
        for sent in _send_back(platform_db, targets, request, letters, has_time):
            redriven += sent
    finally:
        waiting = _end(platform_db, request, redriven, is_audited=bool(letters))
    return Redrive(redriven=redriven, waiting=waiting)


def _begin(platform_db: Homes, request: _Request) -> Sequence[DeadLetter]:
    """Take the lease and return the letters to send, in one transaction with the audit record."""
    ends_at = request.now + REDRIVE_LEASE_TIME
    with platform_db.tenant_transaction(request.organization_id) as conn:
        _require_alive(conn, request.organization_id)
        if not take_lease(conn, request.lease, request.holder, now=request.now, ends_at=ends_at):
            raise ConflictError(
                "The dead letters cannot be redriven. Another redrive of the organization is running or has failed. "
                f"Retry after {REDRIVE_LEASE_TIME // timedelta(seconds=1)} seconds."
            )
        letters = list_redrivable(conn, request.organization_id, limit=REDRIVEN_AT_ONCE, now=request.now)
        if letters:
            record = request.record(DEAD_LETTERS_REDRIVE_STARTED, f"at most {_counted(len(letters))}")
            insert_audit_record(conn, request.organization_id, record)
    return letters


def _end(platform_db: Homes, request: _Request, redriven: int, *, is_audited: bool) -> int:
    """Give the lease back and record the number of sent letters. Return the number of letters that are left."""
    with platform_db.tenant_transaction(request.organization_id) as conn:
        if is_audited:
            record = request.record(DEAD_LETTERS_REDRIVEN, _counted(redriven))
            insert_audit_record(conn, request.organization_id, record)
        delete_lease(conn, request.lease, request.holder)
        return count_redrivable(conn, request.organization_id, now=request.now)


def _counted(letters: int) -> str:
    return f"{letters} dead letter{'' if letters == 1 else 's'}"


def _require_alive(conn: Connection, organization_id: UUID) -> None:
    if organization_id == PLATFORM_LOG:
        return
    organization = require_existing(find_organization(conn, organization_id))
    if organization.status not in ALIVE:
        raise TransitionNotAllowedError(
            f"{organization.status.sentence} Dead letters are redriven only for active and suspended ones."
        )


def _send_back(
    platform_db: Homes,
    targets: RedriveTargets,
    request: _Request,
    letters: Sequence[DeadLetter],
    has_time: Callable[[], bool],
) -> Iterator[int]:
    """Send letters and mark them, call by call. Yield the number of letters that each call has sent.

    Raises:
        UnavailableError: a store is unreachable, or SQS rejected letters. The others are sent.
    """
    rejected = 0
    for part in batched(letters, READ_AT_ONCE, strict=False):
        if not has_time():
            break
        found = _read(platform_db, targets.objects, request, part)
        for queue, of_queue in _by_queue(targets, found):
            for call in split_into_calls(of_queue):
                if not has_time():
                    break
                sent = _send(platform_db, queue, request, call)
                rejected += len(call) - sent
                yield sent
    if rejected:
        raise UnavailableError(f"SQS rejected {_counted(rejected)}.")


def _send(platform_db: Homes, queue: RedriveQueue, request: _Request, call: Sequence[FoundLetter]) -> int:
    """Send the letters of one call, mark those that SQS has stored, and return their number."""
    sent = queue.send_back(call)
    with platform_db.tenant_transaction(request.organization_id) as conn:
        update_redriven(conn, request.organization_id, sent, now=request.now)
    return len(sent)


def _read(
    platform_db: Homes, objects: DeadLetterObjects, request: _Request, letters: Sequence[DeadLetter]
) -> Sequence[FoundLetter]:
    """Return the letters that have a body, and mark the others."""
    bodies = objects.find_bodies(request.organization_id, [letter.id for letter in letters])
    gone = [letter_id for letter_id, body in bodies.items() if body is None]
    if gone:
        with platform_db.tenant_transaction(request.organization_id) as conn:
            update_deleted(conn, request.organization_id, gone, now=request.now)
    with_bodies = ((letter, bodies[letter.id]) for letter in letters)
    return [FoundLetter(letter, body) for letter, body in with_bodies if body is not None]


def _by_queue(
    targets: RedriveTargets, found: Sequence[FoundLetter]
) -> Sequence[tuple[RedriveQueue, Sequence[FoundLetter]]]:
    """Return frames for the queue of events, and the others for that of audit records."""
    frames = [each for each in found if each.letter.kind in FRAMES]
    records = [each for each in found if each.letter.kind not in FRAMES]
    return [(targets.events, frames), (targets.audit, records)]
