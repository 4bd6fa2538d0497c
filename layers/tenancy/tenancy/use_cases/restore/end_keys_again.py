"""End the keys of the register, which are live again in a restored backup."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG, AuditRecord
from tenancy.rules.register import digest_of
from tenancy.stores.postgres.api_keys import revoke_api_key
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.platform_keys import lock_platform_keys, revoke_platform_key
from tenancy.stores.postgres.platform.restored import (
    limit_api_key,
    limit_platform_key,
    list_api_key_ids,
    list_platform_key_ids,
)
from tenancy.use_cases.keys.platform_keys import PLATFORM_KEY_REVOKED
from tenancy.use_cases.keys.revoke_key import KEY_REVOKED
from tenancy.use_cases.restore.restorer import RESTORER


def end_keys_again(platform_db: Homes, organization_id: UUID, ends: Mapping[str, datetime], *, now: datetime) -> int:
    """End the organization's keys with the digests of *ends*, and return the number of keys that were changed.

    Redis needs no update: it is empty after a restore, or its standings expire within a minute.
    """
    ended = 0
    with platform_db.tenant_transaction(organization_id) as conn:
        for key_id in list_api_key_ids(conn, organization_id):
            ends_at = ends.get(digest_of(organization_id, key_id))
            if ends_at is not None:
                ended += _end_key(conn, organization_id, key_id, ends_at, now)
    return ended


def end_platform_keys_again(platform_db: Homes, ends: Mapping[str, datetime], *, now: datetime) -> int:
    """End platform keys as `end_keys_again` does, including the last one. docs/operations.md: how to create one."""
    ended = 0
    with platform_db.tenant_transaction(PLATFORM_LOG) as conn:
        lock_platform_keys(conn)
        for key_id in list_platform_key_ids(conn):
            ends_at = ends.get(digest_of(PLATFORM_LOG, key_id))
            if ends_at is None:
                continue
            if ends_at > now:
                ended += limit_platform_key(conn, key_id, ends_at=ends_at)
            elif revoke_platform_key(conn, key_id, now=now):
                record = AuditRecord.done(PLATFORM_KEY_REVOKED, str(key_id), RESTORER, now=now)
                insert_audit_record(conn, PLATFORM_LOG, record)
                ended += 1
    return ended


def _end_key(conn: Connection, organization_id: UUID, key_id: UUID, ends_at: datetime, now: datetime) -> bool:
    if ends_at > now:
        return limit_api_key(conn, organization_id, key_id, ends_at=ends_at)
    if not revoke_api_key(conn, organization_id, key_id, now=now):
        return False
    insert_audit_record(conn, organization_id, AuditRecord.done(KEY_REVOKED, str(key_id), RESTORER, now=now))
    return True
