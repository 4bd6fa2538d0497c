"""Who a credential belongs to: answered before a tenant is known, by functions that the look-up role owns."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

FIND_KEY_HOLDER: Final = """
    SELECT credential_id, organization_id, subdomain, tier, gateway_key, scopes, expires_at FROM find_key_holder(%s)
"""
FIND_MEMBER: Final = """
    SELECT credential_id, organization_id, subdomain, tier, gateway_key, role, epoch FROM find_person(%s, %s)
"""
FIND_PLATFORM_KEY: Final = "SELECT credential_id FROM find_platform_key(%s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHolder:
    """The organization that a credential belongs to, as far as the authorizer has to know it."""

    credential_id: UUID
    organization_id: UUID
    subdomain: str
    tier: Tier
    gateway_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder(CredentialHolder):
    """The holder of an API key that is not revoked; *expires_at* may have passed."""

    scopes: frozenset[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(CredentialHolder):
    """An active user; *epoch* is `organization.user` revocation counts, as a valid token repeats them."""

    role: str
    epoch: str


def find_key_holder(conn: Connection, digest: bytes) -> KeyHolder | None:
    """Return who holds the key with that SHA-256 *digest*, None for an unknown or revoked one."""
    with conn.cursor(row_factory=kwargs_row(_key_holder)) as cursor:
        return cursor.execute(FIND_KEY_HOLDER, (digest,)).fetchone()


def find_member(conn: Connection, organization_id: UUID, user_id: UUID) -> Member | None:
    """Return the active user of an organization that has not been deleted, None for any other."""
    with conn.cursor(row_factory=kwargs_row(_member)) as cursor:
        return cursor.execute(FIND_MEMBER, (organization_id, user_id)).fetchone()


def find_platform_key(conn: Connection, digest: bytes) -> UUID | None:
    """Return the id of the platform key with that SHA-256 *digest*, None for an unknown or revoked one."""
    row = conn.execute(FIND_PLATFORM_KEY, (digest,)).fetchone()
    return row[0] if row else None


def _key_holder(*, tier: str, scopes: list[str], **columns: object) -> KeyHolder:
    return KeyHolder(tier=Tier(tier), scopes=frozenset(scopes), **columns)  # type: ignore[arg-type]


def _member(*, tier: str, **columns: object) -> Member:
    return Member(tier=Tier(tier), **columns)  # type: ignore[arg-type]
