"""Custom domains of all organizations: those that are due for a check, and those with work to do."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tenancy.stores.postgres.client import Connection

# Deleted organizations get no mail. Their domains are checked after a restoration.
LIST_DUE_CHECKS: Final = """
    SELECT d.organization_id, d.domain
    FROM listed_custom_domains AS d JOIN organizations AS o ON o.id = d.organization_id
    WHERE d.check_at <= %s AND o.status IN ('active', 'suspended')
    ORDER BY d.check_at, d.organization_id, d.domain LIMIT %s
"""
LIST_DUE_WORK: Final = """
    SELECT d.organization_id, d.domain
    FROM listed_custom_domains AS d JOIN organizations AS o ON o.id = d.organization_id
    WHERE d.work_at <= %s AND o.status IN ('active', 'suspended')
    ORDER BY d.work_at, d.organization_id, d.domain LIMIT %s
"""

IS_LOST: Final = """
    SELECT EXISTS (
        SELECT FROM listed_custom_domains
        WHERE domain = %(domain)s AND is_proven AND organization_id <> %(organization_id)s
    ) OR EXISTS (
        SELECT FROM custom_domains
        WHERE organization_id = %(organization_id)s AND domain = %(domain)s
            AND (withdrawn_at IS NOT NULL OR status = 'removing')
    )
"""


class ListedDomain(NamedTuple):
    """A custom domain of an organization."""

    organization_id: UUID
    domain: str


def list_due_checks(conn: Connection, *, now: datetime, limit: int) -> list[ListedDomain]:
    """Return at most *limit* proven domains whose check is due, oldest first."""
    return [ListedDomain(*row) for row in conn.execute(LIST_DUE_CHECKS, (now, limit))]


def list_due_work(conn: Connection, *, now: datetime, limit: int) -> list[ListedDomain]:
    """Return at most *limit* domains for which an execution is to be started, oldest first."""
    return [ListedDomain(*row) for row in conn.execute(LIST_DUE_WORK, (now, limit))]


def is_lost_domain(conn: Connection, organization_id: UUID, domain: str) -> bool:
    """Tell whether *domain* is proven for another organization, or was withdrawn from this one, or is being removed."""
    row = conn.execute(IS_LOST, {"organization_id": organization_id, "domain": domain}).fetchone()
    return row is not None and row[0]
