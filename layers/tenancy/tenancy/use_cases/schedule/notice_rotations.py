"""Notice keys that are to be rotated.

Each one gets an audit record, and the organization's admins get a mail.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG, Actor, AuditRecord
from tenancy.rules.durations import PLATFORM_KEY_ROTATION
from tenancy.rules.keys.key_rotation import KEY_ROTATION_DUE, DueKey, list_lines
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.key_rotations import (
    list_due_platform_keys,
    list_due_rotations,
    update_platform_rotations_noticed,
    update_rotations_noticed,
)
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.platform.quota_notices import list_admins
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.failures import collect_failures, skip_moved

MAX_ORGANIZATIONS: Final = 1_000  # in one run. The next run continues.
MAX_NOTICED_KEYS: Final = 1_000  # of one organization in one run
SCHEDULER: Final = Actor(kind=CallerKind.OPERATOR, id=UUID(int=0), request_id="", source_address="")


@dataclass(slots=True, kw_only=True)
class RotationNotices:
    """The results of a run.

    *keys* is the number of organizations' keys that were noticed. *platform_keys* are all platform keys that are to be
    rotated, also those of earlier notices. The caller must raise the *failures*.
    """

    keys: int = 0
    platform_keys: Sequence[UUID] = ()
    failures: list[Exception] = field(default_factory=list)


def notice_rotations(platform_db: Database, *, now: datetime) -> RotationNotices:
    """Notice each key once that is older than its policy allows.

    The mark of the keys, their audit records and the mails are one transaction per organization: a run that dies
    repeats and loses nothing. An organization that fails does not stop the others. Operators have no address for mails.
    Their keys are in the platform's audit log and in the result.

    Raises:
        UnavailableError: the database is unreachable. The next run continues.
    """
    notices = RotationNotices()
    with collect_failures(notices.failures):
        notices.platform_keys = _notice_platform(platform_db, now)
    with platform_db.transaction() as conn:
        organization_ids = list_due_rotations(conn, now=now, limit=MAX_ORGANIZATIONS)
    for organization_id in organization_ids:
        with collect_failures(notices.failures), skip_moved(), platform_db.tenant_transaction(organization_id) as conn:
            notices.keys += _notice(conn, organization_id, now)
        if any(isinstance(failure, UnavailableError) for failure in notices.failures):
            break  # each further organization would wait for the database as well
    return notices


def _notice_platform(platform_db: Database, now: datetime) -> Sequence[UUID]:
    created_until = now - PLATFORM_KEY_ROTATION
    with platform_db.transaction() as conn:
        _record(conn, PLATFORM_LOG, update_platform_rotations_noticed(conn, created_until=created_until, now=now), now)
        return list_due_platform_keys(conn, created_until=created_until, now=now)


def _notice(conn: Connection, organization_id: UUID, now: datetime) -> int:
    keys = update_rotations_noticed(conn, organization_id, now=now, limit=MAX_NOTICED_KEYS)
    if keys:
        _record(conn, organization_id, [key.id for key in keys], now)
        _enqueue_mails(conn, organization_id, keys, now)
    return len(keys)


def _record(conn: Connection, organization_id: UUID, key_ids: Sequence[UUID], now: datetime) -> None:
    for key_id in key_ids:
        insert_audit_record(conn, organization_id, AuditRecord.done(KEY_ROTATION_DUE, str(key_id), SCHEDULER, now=now))


def _enqueue_mails(conn: Connection, organization_id: UUID, keys: Sequence[DueKey], now: datetime) -> None:
    payload = {"number": len(keys), "keys": list_lines(keys)}
    for address in list_admins(conn, organization_id):
        mail = {**payload, "to": address}
        insert_outbox_entry(conn, organization_id, OutboxKind.KEY_ROTATION_MAIL, mail, due_at=now)
