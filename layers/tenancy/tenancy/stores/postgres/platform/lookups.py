"""The organization of a credential or of a custom domain, looked up before the tenant is known.

The functions in the database belong to the look-up role.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row, kwargs_row

from tenancy.rules.tenant import Operator
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

FIND_KEY_HOLDER: Final = """
    SELECT credential_id, organization_id, subdomain, tier, gateway_key, scopes, expires_at, app_id
    FROM find_key_holder(%s)
"""
FIND_MEMBER: Final = """
    SELECT credential_id, organization_id, subdomain, tier, gateway_key, role, epoch FROM find_person(%s, %s)
"""
FIND_PLATFORM_KEY: Final = "SELECT credential_id, expires_at FROM find_platform_key(%s)"
FIND_LIVE_PLATFORM_KEY: Final = "SELECT credential_id, expires_at FROM find_live_platform_key(%s)"

FIND_DOMAIN_OWNERS: Final = "SELECT domain, organization_id FROM find_custom_domain_owners(%s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHolder:
    """The organization of a credential, as far as the authorizer needs it."""

    credential_id: UUID
    organization_id: UUID
    subdomain: str
    tier: Tier
    gateway_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder(CredentialHolder):
    """The holder of an API key that is not revoked.

    *expires_at* may have passed. *app_id* is None for a secret key.
    """

    scopes: frozenset[str]
    expires_at: datetime | None
    app_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(CredentialHolder):
    """An active user.

    *epoch* is the text `organization.user` of both epochs, as in a valid token.
    """

    role: str
    epoch: str


def find_key_holder(conn: Connection, digest: bytes) -> KeyHolder | None:
    """Return the holder of the key with that SHA-256 *digest*, or None for an unknown key.

    A revoked key is unknown, too.
    """
    with conn.cursor(row_factory=kwargs_row(_key_holder)) as cursor:
        return cursor.execute(FIND_KEY_HOLDER, (digest,)).fetchone()


def find_member(conn: Connection, organization_id: UUID, user_id: UUID) -> Member | None:
    """Return the active user of an organization that is not deleted, or None."""
    with conn.cursor(row_factory=kwargs_row(_member)) as cursor:
        return cursor.execute(FIND_MEMBER, (organization_id, user_id)).fetchone()


def find_platform_key(conn: Connection, digest: bytes) -> Operator | None:
    """Return the holder of the platform key with the SHA-256 *digest*, or None without one.

    A revoked key is unknown, too. The end of the key may have passed.
    """
    with conn.cursor(row_factory=class_row(Operator)) as cursor:
        return cursor.execute(FIND_PLATFORM_KEY, (digest,)).fetchone()


def find_live_platform_key(conn: Connection, credential_id: UUID) -> Operator | None:
    """Return the holder of the platform key with that id, or None for an unknown or revoked key.

    The end of the key may have passed.
    """
    with conn.cursor(row_factory=class_row(Operator)) as cursor:
        return cursor.execute(FIND_LIVE_PLATFORM_KEY, (credential_id,)).fetchone()


def find_domain_owners(conn: Connection, names: Collection[str]) -> dict[str, UUID]:
    """Return the organizations whose active custom domains are among *names* (ASCII, lower case), by domain."""
    return dict(conn.execute(FIND_DOMAIN_OWNERS, (list(names),)).fetchall())


def _key_holder(*, tier: str, scopes: list[str], **columns: object) -> KeyHolder:
    return KeyHolder(tier=Tier(tier), scopes=frozenset(scopes), **columns)  # type: ignore[arg-type]


def _member(*, tier: str, **columns: object) -> Member:
    return Member(tier=Tier(tier), **columns)  # type: ignore[arg-type]
