"""Rows of a restored database that a replay of the register changes, of all organizations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.erasures import DataSubject
from tenancy.stores.postgres.client import Connection

# The new epoch is the number of minutes since 1970. So it is larger than each epoch of the lost database, and than that
# of an earlier restore.
UPDATE_EPOCHS: Final = """
    UPDATE organizations SET
        token_epoch = greatest(token_epoch + 1, %(epoch)s),
        updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE status <> 'erased'
"""
LIST_ORGANIZATION_IDS: Final = "SELECT id FROM organizations ORDER BY id"
LIST_API_KEY_IDS: Final = "SELECT id FROM api_keys WHERE organization_id = %s ORDER BY id"
LIST_PLATFORM_KEY_IDS: Final = "SELECT id FROM platform_keys ORDER BY id"
LIMIT_API_KEY: Final = """
    UPDATE api_keys SET expires_at = %(ends_at)s
    WHERE organization_id = %(organization_id)s AND id = %(key_id)s AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > %(ends_at)s)
"""
LIMIT_PLATFORM_KEY: Final = """
    UPDATE platform_keys SET expires_at = %(ends_at)s
    WHERE id = %(key_id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(ends_at)s)
"""
# Its next pass looks at all rows, because ClickHouse may be older than PostgreSQL. A pass that has deleted rows already
# keeps their numbers in found. Only a pending erasure subtracts rows from the usage of closed months, so status stays.
RESET_ERASURE: Final = """
    UPDATE erasures SET
        salt = %(salt)s, digest = %(digest)s, covered_until = NULL, due_at = requested_at, claimed_until = NULL
    WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
LIST_UNCOVERED: Final = """
    SELECT id FROM erasures WHERE id = ANY(%s) AND covered_until IS NULL AND digest IS NOT NULL ORDER BY id
"""
FIND_GENERATION: Final = "SELECT deletion_generation FROM organizations WHERE id = %s"
UPDATE_GENERATION: Final = """
    UPDATE organizations SET deletion_generation = greatest(deletion_generation, %s) WHERE id = %s
"""


def update_epochs(conn: Connection, *, epoch: int, now: datetime) -> int:
    """Raise the token epoch of all organizations to *epoch* at least, and return their number.

    This invalidates their sessions and access tokens.
    """
    return conn.execute(UPDATE_EPOCHS, {"epoch": epoch, "now": now}).rowcount


def list_organization_ids(conn: Connection) -> list[UUID]:
    """Return all organizations, also erased ones."""
    return [found for (found,) in conn.execute(LIST_ORGANIZATION_IDS)]


def list_api_key_ids(conn: Connection, organization_id: UUID) -> list[UUID]:
    """Return the keys of an organization in any state."""
    return [found for (found,) in conn.execute(LIST_API_KEY_IDS, (organization_id,))]


def list_platform_key_ids(conn: Connection) -> list[UUID]:
    """Return the platform keys in any state."""
    return [found for (found,) in conn.execute(LIST_PLATFORM_KEY_IDS)]


def limit_api_key(conn: Connection, organization_id: UUID, key_id: UUID, *, ends_at: datetime) -> bool:
    """Set the end of a key to *ends_at*, unless it ends earlier. Return whether it was changed."""
    values = {"organization_id": organization_id, "key_id": key_id, "ends_at": ends_at}
    return conn.execute(LIMIT_API_KEY, values).rowcount == 1


def limit_platform_key(conn: Connection, key_id: UUID, *, ends_at: datetime) -> bool:
    """Set the end of a platform key to *ends_at*, unless it ends earlier. Return whether it was changed."""
    return conn.execute(LIMIT_PLATFORM_KEY, {"key_id": key_id, "ends_at": ends_at}).rowcount == 1


def reset_erasure(conn: Connection, organization_id: UUID, erasure_id: UUID, subject: DataSubject) -> bool:
    """Let an erasure look at all rows again, and return whether the organization has it. Idempotent."""
    values = {"organization_id": organization_id, "id": erasure_id, "salt": subject.salt, "digest": subject.digest}
    return conn.execute(RESET_ERASURE, values).rowcount == 1


def get_generation(conn: Connection, organization_id: UUID) -> int:
    """Return the generation of the organization's last deletion, 0 without one."""
    [(generation,)] = conn.execute(FIND_GENERATION, (organization_id,))
    return int(generation)


def update_generation(conn: Connection, organization_id: UUID, generation: int) -> None:
    """Raise the generation to *generation* at least, so that the next deletion has a later one."""
    conn.execute(UPDATE_GENERATION, (generation, organization_id))


def list_uncovered(conn: Connection, erasure_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of *erasure_ids* whose pass over all rows has not ended since `reset_erasure`."""
    return [found for (found,) in conn.execute(LIST_UNCOVERED, (list(erasure_ids),))]
