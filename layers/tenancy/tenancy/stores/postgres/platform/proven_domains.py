"""Proven e-mail domains of all organizations."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tenancy.stores.postgres.client import Connection

FIND_DOMAIN_OWNER: Final = "SELECT organization_id FROM proven_email_domains WHERE domain = %s"
# Deleted organizations get no mail. Their proofs are checked after a restoration.
LIST_DUE_DOMAINS: Final = """
    SELECT d.organization_id, d.domain
    FROM proven_email_domains AS d JOIN organizations AS o ON o.id = d.organization_id
    WHERE d.check_at <= %s AND o.status IN ('active', 'suspended')
    ORDER BY d.check_at, d.organization_id, d.domain LIMIT %s
"""


class DueDomain(NamedTuple):
    """A proven domain that is to be checked again."""

    organization_id: UUID
    domain: str


def find_domain_owner(conn: Connection, domain: str) -> UUID | None:
    """Return the organization for which *domain*, in its stored form, is proven, or None without one."""
    row = conn.execute(FIND_DOMAIN_OWNER, (domain,)).fetchone()
    return row[0] if row else None


def list_due_domains(conn: Connection, *, now: datetime, limit: int) -> list[DueDomain]:
    """Return at most *limit* proven domains whose check is due, oldest first."""
    return [DueDomain(*row) for row in conn.execute(LIST_DUE_DOMAINS, (now, limit))]
