"""The subjects by which an issuer knows the members of an organization."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from psycopg.rows import kwargs_row

from tenancy.rules.people.member import StoredMember
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.users import parse_user_row

FIND_MEMBER: Final = """
    SELECT u.id, u.email, u.name, u.role, u.status, u.created_at, u.password_hash IS NOT NULL AS has_password
    FROM sso_identities AS i JOIN users AS u ON u.organization_id = i.organization_id AND u.id = i.user_id
    WHERE i.organization_id = %s AND i.issuer = %s AND i.subject = %s
"""
HAS_SUBJECT: Final = """
    SELECT EXISTS (SELECT FROM sso_identities WHERE organization_id = %s AND user_id = %s AND issuer = %s)
"""
UPSERT_IDENTITY: Final = """
    INSERT INTO sso_identities (organization_id, id, user_id, issuer, subject, created_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT sso_identities_user_key
    DO UPDATE SET subject = excluded.subject, created_at = excluded.created_at
"""
IS_PROVEN: Final = """
    SELECT EXISTS (
        SELECT FROM email_domains WHERE organization_id = %s AND domain = %s AND verified_at IS NOT NULL
    )
"""


def find_member_of_subject(conn: Connection, organization_id: UUID, issuer: str, subject: str) -> StoredMember | None:
    """Return the member, with any status, that *issuer* knows as *subject*, or None."""
    with conn.cursor(row_factory=kwargs_row(parse_user_row)) as cursor:
        return cursor.execute(FIND_MEMBER, (organization_id, issuer, subject)).fetchone()


def has_subject(conn: Connection, organization_id: UUID, user_id: UUID, issuer: str) -> bool:
    """Tell whether *issuer* knows the member by a subject."""
    [(found,)] = conn.execute(HAS_SUBJECT, (organization_id, user_id, issuer))
    return bool(found)


def upsert_sso_identity(
    conn: Connection, organization_id: UUID, user_id: UUID, *, issuer: str, subject: str, now: datetime
) -> None:
    """Store that *issuer* knows the member as *subject*, in place of the former subject."""
    conn.execute(UPSERT_IDENTITY, (organization_id, uuid4(), user_id, issuer, subject, now))


def is_domain_proven(conn: Connection, organization_id: UUID, domain: str) -> bool:
    """Tell whether the organization has proven *domain*, in its stored form."""
    [(found,)] = conn.execute(IS_PROVEN, (organization_id, domain))
    return bool(found)
