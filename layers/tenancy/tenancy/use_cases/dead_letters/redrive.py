"""Send dead letters back to the queues that they came from, each once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import TransitionNotAllowedError
from tenancy.rules.audit_record import PLATFORM_LOG, Actor, AuditRecord
from tenancy.rules.dead_letters import FRAMES, DeadLetter
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import require_existing
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.redrive_queue import RedriveQueue
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.dead_letters import (
    count_redrivable,
    list_redrivable,
    update_deleted,
    update_redriven,
)
from tenancy.stores.postgres.platform.organizations import find_organization

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


def redrive_dead_letters(
    platform_db: Database,
    targets: RedriveTargets,
    organization_id: UUID,
    actor: Actor,
    *,
    has_time: Callable[[], bool],
    now: datetime,
) -> Redrive:
    """Send the dead letters of an organization or of the platform back to their queues.

    Letters are sent while *has_time*. The audit record is written before the first letter is sent. A letter is marked
    after it was sent. If the process dies between the two, the next call sends it again: load counts an event once, and
    a record is written once.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        TransitionNotAllowedError: the organization is deleted.
        UnavailableError: a store is unreachable. A later call sends the rest.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        _require_alive(conn, organization_id)
        letters = list_redrivable(conn, organization_id, limit=REDRIVEN_AT_ONCE, now=now)
        if letters:
            record = AuditRecord.done(DEAD_LETTERS_REDRIVEN, f"{len(letters)} dead letters", actor, now=now)
            insert_audit_record(conn, organization_id, record)
    redriven = 0
    for letter in letters:
        if not has_time():
            break
        redriven += _send_back(platform_db, targets, letter, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        return Redrive(redriven=redriven, waiting=count_redrivable(conn, organization_id, now=now))


def _require_alive(conn: Connection, organization_id: UUID) -> None:
    if organization_id == PLATFORM_LOG:
        return
    organization = require_existing(find_organization(conn, organization_id))
    if organization.status not in ALIVE:
        raise TransitionNotAllowedError(
            f"The organization is {organization.status}. Dead letters are redriven only for active and suspended ones."
        )


def _send_back(platform_db: Database, targets: RedriveTargets, letter: DeadLetter, *, now: datetime) -> bool:
    """Send one letter and mark it. Return whether it still had a body."""
    body = targets.objects.find_body(letter.organization_id, letter.id)
    if body is not None:
        queue = targets.events if letter.kind in FRAMES else targets.audit
        queue.send_back(letter, body)
    with platform_db.tenant_transaction(letter.organization_id) as conn:
        if body is None:
            update_deleted(conn, letter, now=now)
        else:
            update_redriven(conn, letter, now=now)
    return body is not None
