"""The look-up from subdomains and ids to organizations, before an organization is known."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

LIST_NAMED: Final = """
    SELECT organization_id, subdomain FROM organization_names
    WHERE organization_id = ANY(%s) OR subdomain = ANY(%s) LIMIT 2
"""


def list_named(conn: Connection, *, ids: Iterable[UUID], subdomains: Iterable[str]) -> list[tuple[UUID, str]]:
    """Return id and subdomain of the organizations with one of these names, at most two."""
    return conn.execute(LIST_NAMED, (list(ids), list(subdomains))).fetchall()
