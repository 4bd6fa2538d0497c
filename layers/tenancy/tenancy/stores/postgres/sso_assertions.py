"""The SAML assertions that an organization has accepted. None is accepted twice."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.postgres.client import Connection

INSERT_ASSERTION: Final = """
    INSERT INTO sso_assertions (organization_id, assertion_digest, expires_at) VALUES (%s, %s, %s)
"""
PRIMARY_KEY: Final = "sso_assertions_pkey"
# Two transactions may delete at once. Each leaves the rows that the other one has locked.
DELETE_EXPIRED: Final = """
    DELETE FROM sso_assertions WHERE organization_id = %(organization_id)s AND assertion_digest IN (
        SELECT assertion_digest FROM sso_assertions
        WHERE organization_id = %(organization_id)s AND expires_at <= %(before)s
        FOR UPDATE SKIP LOCKED
    )
"""


def insert_assertion(conn: Connection, organization_id: UUID, digest: bytes, *, expires_at: datetime) -> None:
    """Insert the assertion of *digest*.

    Raises:
        SsoRefusedError: it was accepted before.
    """
    try:
        conn.execute(INSERT_ASSERTION, (organization_id, digest, expires_at))
    except UniqueViolation as error:
        if error.diag.constraint_name == PRIMARY_KEY:
            raise SsoRefusedError(SsoFault.ASSERTION_USED) from error
        raise


def delete_expired_assertions(conn: Connection, organization_id: UUID, *, before: datetime) -> None:
    """Delete the organization's assertions that expired before that time, which has passed."""
    conn.execute(DELETE_EXPIRED, {"organization_id": organization_id, "before": before})
