"""E-mail domains that an organization claims."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from tenancy.errors import DomainTakenError
from tenancy.rules.domain_checks import DomainCheck
from tenancy.rules.email_domains import RECORD_LABEL, EmailDomain
from tenancy.stores.postgres.client import Connection

# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_DOMAINS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
INSERT_EMAIL_DOMAIN: Final = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at) VALUES (%s, %s, %s, %s, %s)
"""
COUNT_EMAIL_DOMAINS: Final = "SELECT count(*) FROM email_domains WHERE organization_id = %s"
DOMAIN_COLUMNS: Final = "id, domain, token, created_at, verified_at, missing_since"
SELECT_EMAIL_DOMAIN: Final = "SELECT " + DOMAIN_COLUMNS + " FROM email_domains"
FIND_EMAIL_DOMAIN: Final = SELECT_EMAIL_DOMAIN + " WHERE organization_id = %s AND domain = %s"
LOCK_EMAIL_DOMAIN: Final = FIND_EMAIL_DOMAIN + " FOR NO KEY UPDATE"
LIST_EMAIL_DOMAINS: Final = (
    SELECT_EMAIL_DOMAIN
    + """
    WHERE organization_id = %(organization_id)s AND (%(after)s::text IS NULL OR domain > %(after)s)
    ORDER BY domain LIMIT %(limit)s
"""
)
UPDATE_VERIFIED: Final = (
    """
    UPDATE email_domains SET verified_at = coalesce(verified_at, %s), check_at = %s, missing_since = NULL
    WHERE organization_id = %s AND domain = %s
    RETURNING """
    + DOMAIN_COLUMNS
)
UPDATE_CHECKED: Final = """
    UPDATE email_domains SET check_at = %s, missing_since = %s WHERE organization_id = %s AND domain = %s
"""
UPDATE_WITHDRAWN: Final = """
    UPDATE email_domains SET verified_at = NULL, check_at = NULL, missing_since = NULL
    WHERE organization_id = %s AND domain = %s
"""
DELETE_EMAIL_DOMAIN: Final = "DELETE FROM email_domains WHERE organization_id = %s AND domain = %s"


def lock_email_domains(conn: Connection, organization_id: UUID) -> None:
    """Lock the number of the organization's claims until the transaction ends."""
    conn.execute(LOCK_DOMAINS, (f"email domains {organization_id}",))


def insert_email_domain(conn: Connection, organization_id: UUID, claim: EmailDomain) -> None:
    """Insert a claim without a proof."""
    conn.execute(INSERT_EMAIL_DOMAIN, (organization_id, claim.domain, claim.id, claim.token, claim.created_at))


def count_email_domains(conn: Connection, organization_id: UUID) -> int:
    """Return the number of the organization's claims."""
    row = conn.execute(COUNT_EMAIL_DOMAINS, (organization_id,)).fetchone()
    return row[0] if row else 0


def find_email_domain(conn: Connection, organization_id: UUID, domain: str) -> EmailDomain | None:
    """Return a claim, or None without one."""
    with conn.cursor(row_factory=class_row(EmailDomain)) as cursor:
        return cursor.execute(FIND_EMAIL_DOMAIN, (organization_id, domain)).fetchone()


def lock_email_domain(conn: Connection, organization_id: UUID, domain: str) -> EmailDomain | None:
    """Return a claim that no other transaction changes until this one ends, or None without one."""
    with conn.cursor(row_factory=class_row(EmailDomain)) as cursor:
        return cursor.execute(LOCK_EMAIL_DOMAIN, (organization_id, domain)).fetchone()


def list_email_domains(conn: Connection, organization_id: UUID, *, after: str | None, limit: int) -> list[EmailDomain]:
    """Return at most *limit* claims after the domain *after*, by domain."""
    values = {"organization_id": organization_id, "after": after, "limit": limit}
    with conn.cursor(row_factory=class_row(EmailDomain)) as cursor:
        return cursor.execute(LIST_EMAIL_DOMAINS, values).fetchall()


def update_domain_verified(
    conn: Connection, organization_id: UUID, domain: str, *, check_at: datetime, now: datetime
) -> EmailDomain | None:
    """Store the proof of a claim, and return the claim, or None without one.

    Raises:
        DomainTakenError: the domain is proven for another organization.
    """
    try:
        with conn.cursor(row_factory=class_row(EmailDomain)) as cursor:
            return cursor.execute(UPDATE_VERIFIED, (now, check_at, organization_id, domain)).fetchone()
    except UniqueViolation as error:
        if error.diag.constraint_name == "proven_email_domains_domain_key":
            raise DomainTakenError(domain, record_name=f"{RECORD_LABEL}{domain}") from error
        raise


def update_domain_checked(conn: Connection, organization_id: UUID, domain: str, check: DomainCheck) -> None:
    """Store the effect of a check of a proven domain."""
    if check.is_withdrawn:
        update_domain_withdrawn(conn, organization_id, domain)
    else:
        conn.execute(UPDATE_CHECKED, (check.check_at, check.missing_since, organization_id, domain))


def update_domain_withdrawn(conn: Connection, organization_id: UUID, domain: str) -> None:
    """Withdraw the proof of a claim. The claim stays."""
    conn.execute(UPDATE_WITHDRAWN, (organization_id, domain))


def delete_email_domain(conn: Connection, organization_id: UUID, domain: str) -> None:
    """Delete a claim without a proof."""
    conn.execute(DELETE_EMAIL_DOMAIN, (organization_id, domain))
