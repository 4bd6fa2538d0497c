"""Active custom domains of organizations, stored without their verification."""

from uuid import UUID

import psycopg

from tests.given import Databases

INSERT_ACTIVE = "INSERT INTO active_custom_domains (organization_id, domain) VALUES (%s, %s)"
DELETE_ACTIVE = "DELETE FROM active_custom_domains WHERE domain = %s"


def activate_domain(databases: Databases, organization_id: UUID, domain: str) -> str:
    """Store *domain* as an active custom domain of the organization, and return it."""
    _execute(databases, INSERT_ACTIVE, (organization_id, domain))
    return domain


def withdraw_domain(databases: Databases, domain: str) -> None:
    """Remove the active custom domain, as if its proof were gone."""
    _execute(databases, DELETE_ACTIVE, (domain,))


def _execute(databases: Databases, statement: str, values: tuple[object, ...]) -> None:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        conn.execute(statement.encode(), values)
