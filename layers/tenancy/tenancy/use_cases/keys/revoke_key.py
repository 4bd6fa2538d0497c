"""Revoke a key of an organization."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.stores.postgres.api_keys import find_api_key, revoke_api_key
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.keys.publish_keys import enqueue_ended_keys, publish_keys
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.outbox.run_entries import OutboxTargets

KEY_REVOKED: Final = "key.revoked"


def revoke_key(
    platform_db: Homes, targets: OutboxTargets, organization_id: UUID, key_id: UUID, actor: Actor, *, now: datetime
) -> bool:
    """Revoke a key, and return whether the revocation is published.

    The key is refused at its next request. Idempotent: a repeated revocation records nothing, and is published and
    registered again.
    The last key can be revoked, too: a member with a token, or the operator, can act without one.

    Raises:
        NotFoundError: the organization has no such key.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The change may be committed. A retry is safe.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        if revoke_api_key(conn, organization_id, key_id, now=now):
            insert_audit_record(conn, organization_id, AuditRecord.done(KEY_REVOKED, str(key_id), actor, now=now))
            ended_at = now
        else:
            ended_at = _find_end(conn, organization_id, key_id) or now
        publications = enqueue_ended_keys(conn, organization_id, [key_id], ends_at=ended_at, now=now)
    return publish_keys(platform_db, targets, publications, now=now)


def _find_end(conn: Connection, organization_id: UUID, key_id: UUID) -> datetime | None:
    """Return the time of an earlier revocation.

    Raises:
        NotFoundError: the organization has no such key.
    """
    key = find_api_key(conn, organization_id, key_id)
    if key is None:
        raise NotFoundError("There is no such key.")
    return key.revoked_at
