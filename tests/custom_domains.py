"""Active custom domains of organizations, stored without their verification."""

from uuid import UUID

import psycopg

from tests.given import Databases

INSERT_ACTIVE = """
    INSERT INTO custom_domains
        (organization_id, domain, id, token, status, created_at, verified_at, attached_at, active_at)
    VALUES (%s, %s, gen_random_uuid(), 'x', 'active', now(), now(), now(), now())
"""
WITHDRAW = "UPDATE custom_domains SET status = 'withdrawing' WHERE domain = %s"


def activate_domain(databases: Databases, organization_id: UUID, domain: str) -> str:
    """Store *domain* as an active custom domain of the organization, and return it."""
    _execute(databases, INSERT_ACTIVE, (organization_id, domain))
    return domain


def withdraw_domain(databases: Databases, domain: str) -> None:
    """Withdraw the active custom domain, as if its proof were gone."""
    _execute(databases, WITHDRAW, (domain,))


def _execute(databases: Databases, statement: str, values: tuple[object, ...]) -> None:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        conn.execute(statement.encode(), values)
