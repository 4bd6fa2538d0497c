"""Leftovers of moves in a database: publications, slots, subscriptions, log-ins, rights and rows."""

from uuid import UUID

from psycopg import sql

from scripts.move.tables import HAS_ROW, list_tables
from tests.moves.servers import Deployment

LIST_LEFTOVERS = """
    SELECT 'publication ' || pubname FROM pg_publication
    UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
    UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots
    UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin
    UNION ALL SELECT 'incoming ' || organization_id FROM moved_organizations WHERE state = 'incoming'
    UNION ALL SELECT 'log-in' FROM pg_authid
              WHERE rolname = 'tenancy_mover' AND (rolcanlogin OR rolpassword IS NOT NULL)
    UNION ALL SELECT 'right on ' || pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
              WHERE refclassid = 'pg_authid'::regclass AND refobjid = 'tenancy_mover'::regrole
                AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                AND classid <> 'pg_auth_members'::regclass
"""


def list_leftovers(deployment: Deployment) -> list[str]:
    """Return the leftovers of moves, each with its database."""
    return [
        f"{each.name}: {found}" for each in deployment for (found,) in each.superuser.execute(LIST_LEFTOVERS).fetchall()
    ]


def homes_of(deployment: Deployment, organization_id: UUID) -> dict[str, list[str]]:
    """Return the tables with rows of the organization, by database."""
    found = {}
    for each in deployment:
        tables = list_tables(each.superuser)
        filled = [
            table.name
            for table in tables
            if each.superuser.execute(table.format(HAS_ROW), (organization_id,)).fetchone() == (True,)
        ]
        if filled:
            found[each.name] = sorted(filled)
    return found


def directory_of(deployment: Deployment, organization_id: UUID) -> str:
    """Return the home that the directory has."""
    statement = sql.SQL("SELECT database FROM organization_homes WHERE organization_id = %s")
    row = deployment["main"].superuser.execute(statement, (organization_id,)).fetchone()
    return str(row[0]) if row else "main"
