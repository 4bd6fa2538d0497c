"""The subjects by which providers know the members of an organization."""

from dataclasses import astuple
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from psycopg.rows import kwargs_row

from tenancy.rules.people.member import StoredMember
from tenancy.rules.sso.connection import SubjectRealm
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.users import SELECT_USER, parse_user_row

FIND_MEMBER: Final = (
    SELECT_USER
    + """
    WHERE (organization_id, id) = (
        SELECT i.organization_id, i.user_id FROM sso_identities AS i
        WHERE i.organization_id = %s AND i.type = %s AND i.issuer = %s AND i.realm_id IS NOT DISTINCT FROM %s
          AND i.subject = %s
    )
"""
)
HAS_SUBJECT: Final = """
    SELECT EXISTS (
        SELECT FROM sso_identities WHERE organization_id = %s AND user_id = %s AND type = %s AND issuer = %s
           AND realm_id IS NOT DISTINCT FROM %s
    )
"""
HAS_ANY_SUBJECT: Final = "SELECT EXISTS (SELECT FROM sso_identities WHERE organization_id = %s AND user_id = %s)"
UPSERT_IDENTITY: Final = """
    INSERT INTO sso_identities (organization_id, id, user_id, type, issuer, realm_id, subject, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT sso_identities_user_key
    DO UPDATE SET subject = excluded.subject, created_at = excluded.created_at
"""
IS_PROVEN: Final = """
    SELECT EXISTS (
        SELECT FROM email_domains WHERE organization_id = %s AND domain = %s AND verified_at IS NOT NULL
    )
"""


def find_member_of_subject(
    conn: Connection, organization_id: UUID, realm: SubjectRealm, subject: str
) -> StoredMember | None:
    """Return the member, with any status, that the provider knows as *subject*, or None."""
    with conn.cursor(row_factory=kwargs_row(parse_user_row)) as cursor:
        return cursor.execute(FIND_MEMBER, (organization_id, *astuple(realm), subject)).fetchone()


def has_subject(conn: Connection, organization_id: UUID, user_id: UUID, realm: SubjectRealm) -> bool:
    """Tell whether the provider knows the member by a subject."""
    [(found,)] = conn.execute(HAS_SUBJECT, (organization_id, user_id, *astuple(realm)))
    return bool(found)


def has_any_subject(conn: Connection, organization_id: UUID, user_id: UUID) -> bool:
    """Tell whether any provider, also one of a former connection, knows the member by a subject."""
    [(found,)] = conn.execute(HAS_ANY_SUBJECT, (organization_id, user_id))
    return bool(found)


def upsert_sso_identity(
    conn: Connection, organization_id: UUID, user_id: UUID, realm: SubjectRealm, *, subject: str, now: datetime
) -> None:
    """Store that the provider knows the member as *subject*, in place of the former subject."""
    conn.execute(UPSERT_IDENTITY, (organization_id, uuid4(), user_id, *astuple(realm), subject, now))


def is_domain_proven(conn: Connection, organization_id: UUID, domain: str) -> bool:
    """Tell whether the organization has proven *domain*, in its stored form."""
    [(found,)] = conn.execute(IS_PROVEN, (organization_id, domain))
    return bool(found)
