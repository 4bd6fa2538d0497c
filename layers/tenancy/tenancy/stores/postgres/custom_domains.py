"""Custom domains that an organization claims."""

from typing import Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import kwargs_row

from tenancy.errors import DomainTakenError
from tenancy.rules.custom_domains import (
    OWNERSHIP_LABEL,
    CustomDomain,
    CustomDomainStatus,
    DomainFailure,
    RecordProblem,
)
from tenancy.stores.postgres.client import Connection

# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_CLAIMS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
INSERT_CUSTOM_DOMAIN: Final = """
    INSERT INTO custom_domains (organization_id, domain, id, token, status, created_at) VALUES (%s, %s, %s, %s, %s, %s)
"""
COUNT_CUSTOM_DOMAINS: Final = "SELECT count(*) FROM custom_domains WHERE organization_id = %s"
CUSTOM_DOMAIN_COLUMNS: Final = """
    id, domain, token, status, attempt, created_at, work_at, deadline_at, checked_at, ownership_problem,
    routing_problem, failure, refusals, retry_at, verified_at, check_at, missing_since, certificate_arn,
    validation_name, validation_value, issued_at, attached_at, active_at, expiring_since, withdrawn_at
"""
SELECT_CUSTOM_DOMAIN: Final = "SELECT " + CUSTOM_DOMAIN_COLUMNS + " FROM custom_domains"
FIND_CUSTOM_DOMAIN: Final = SELECT_CUSTOM_DOMAIN + " WHERE organization_id = %s AND domain = %s"
LOCK_CUSTOM_DOMAIN: Final = FIND_CUSTOM_DOMAIN + " FOR NO KEY UPDATE"
LOCK_CLAIM: Final = SELECT_CUSTOM_DOMAIN + " WHERE organization_id = %s AND id = %s FOR NO KEY UPDATE"
LIST_CUSTOM_DOMAINS: Final = (
    SELECT_CUSTOM_DOMAIN
    + """
    WHERE organization_id = %(organization_id)s AND (%(after)s::text IS NULL OR domain > %(after)s)
    ORDER BY domain LIMIT %(limit)s
"""
)
UPDATE_CUSTOM_DOMAIN: Final = """
    UPDATE custom_domains
    SET status = %(status)s, attempt = %(attempt)s, work_at = %(work_at)s, deadline_at = %(deadline_at)s,
        checked_at = %(checked_at)s, ownership_problem = %(ownership_problem)s, routing_problem = %(routing_problem)s,
        failure = %(failure)s, refusals = %(refusals)s, retry_at = %(retry_at)s, verified_at = %(verified_at)s,
        check_at = %(check_at)s, missing_since = %(missing_since)s, certificate_arn = %(certificate_arn)s,
        validation_name = %(validation_name)s, validation_value = %(validation_value)s,
        issued_at = %(issued_at)s, attached_at = %(attached_at)s, active_at = %(active_at)s,
        expiring_since = %(expiring_since)s, withdrawn_at = %(withdrawn_at)s
    WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
DELETE_CUSTOM_DOMAIN: Final = "DELETE FROM custom_domains WHERE organization_id = %s AND id = %s"


def lock_custom_domains(conn: Connection, organization_id: UUID) -> None:
    """Lock the number of the organization's claims until the transaction ends."""
    conn.execute(LOCK_CLAIMS, (f"custom domains {organization_id}",))


def insert_custom_domain(conn: Connection, organization_id: UUID, claim: CustomDomain) -> None:
    """Insert a claim without a proof."""
    values = (organization_id, claim.domain, claim.id, claim.token, claim.status, claim.created_at)
    conn.execute(INSERT_CUSTOM_DOMAIN, values)


def count_custom_domains(conn: Connection, organization_id: UUID) -> int:
    """Return the number of the organization's claims."""
    row = conn.execute(COUNT_CUSTOM_DOMAINS, (organization_id,)).fetchone()
    return row[0] if row else 0


def find_custom_domain(conn: Connection, organization_id: UUID, domain: str) -> CustomDomain | None:
    """Return a claim, or None without one."""
    with conn.cursor(row_factory=kwargs_row(_claim)) as cursor:
        return cursor.execute(FIND_CUSTOM_DOMAIN, (organization_id, domain)).fetchone()


def lock_custom_domain(conn: Connection, organization_id: UUID, domain: str) -> CustomDomain | None:
    """Return a claim that no other transaction changes until this one ends, or None without one."""
    with conn.cursor(row_factory=kwargs_row(_claim)) as cursor:
        return cursor.execute(LOCK_CUSTOM_DOMAIN, (organization_id, domain)).fetchone()


def lock_claim(conn: Connection, organization_id: UUID, claim_id: UUID) -> CustomDomain | None:
    """Return the claim with that id, which no other transaction changes until this one ends, or None without one."""
    with conn.cursor(row_factory=kwargs_row(_claim)) as cursor:
        return cursor.execute(LOCK_CLAIM, (organization_id, claim_id)).fetchone()


def list_custom_domains(
    conn: Connection, organization_id: UUID, *, after: str | None, limit: int
) -> list[CustomDomain]:
    """Return at most *limit* claims after the domain *after*, by domain."""
    values = {"organization_id": organization_id, "after": after, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(_claim)) as cursor:
        return cursor.execute(LIST_CUSTOM_DOMAINS, values).fetchall()


def update_custom_domain(conn: Connection, organization_id: UUID, claim: CustomDomain) -> None:
    """Store the state of a claim that the transaction has locked.

    Raises:
        DomainTakenError: the domain is proven for another organization.
    """
    values: dict[str, Any] = {name: getattr(claim, name) for name in claim.__slots__}
    try:
        conn.execute(UPDATE_CUSTOM_DOMAIN, {**values, "organization_id": organization_id})
    except UniqueViolation as error:
        if error.diag.constraint_name == "listed_custom_domains_proven_key":
            raise DomainTakenError(claim.domain, record_name=f"{OWNERSHIP_LABEL}{claim.domain}") from error
        raise


def delete_custom_domain(conn: Connection, organization_id: UUID, claim_id: UUID) -> None:
    """Delete a claim without a proof."""
    conn.execute(DELETE_CUSTOM_DOMAIN, (organization_id, claim_id))


def _claim(
    *,
    status: str,
    ownership_problem: str | None,
    routing_problem: str | None,
    failure: str | None,
    **columns: Any,  # noqa: ANN401 - columns of several types
) -> CustomDomain:
    return CustomDomain(
        status=CustomDomainStatus(status),
        ownership_problem=None if ownership_problem is None else RecordProblem(ownership_problem),
        routing_problem=None if routing_problem is None else RecordProblem(routing_problem),
        failure=None if failure is None else DomainFailure(failure),
        **columns,
    )
