"""The look-up from ids, subdomains and custom domains to organizations, before an organization is known."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple
from uuid import UUID

from tenancy.stores.postgres.client import Connection

LIST_NAMED: Final = """
    WITH owned AS MATERIALIZED (SELECT domain, organization_id FROM find_custom_domain_owners(%s))
    SELECT n.organization_id, n.subdomain,
        ARRAY(SELECT domain FROM owned WHERE owned.organization_id = n.organization_id)
    FROM organization_names AS n
    WHERE n.organization_id = ANY(%s) OR n.subdomain = ANY(%s)
        OR n.organization_id = ANY(ARRAY(SELECT organization_id FROM owned))
    LIMIT 2
"""


class NamedRow(NamedTuple):
    """An organization with a name in a request. *domains* are its active custom domains in the request."""

    organization_id: UUID
    subdomain: str
    domains: Collection[str]


def list_named(
    conn: Connection, *, ids: Iterable[UUID], subdomains: Iterable[str], domains: Iterable[str]
) -> list[NamedRow]:
    """Return the organizations with one of these names, at most two."""
    rows = conn.execute(LIST_NAMED, (list(domains), list(ids), list(subdomains)))
    return [NamedRow(*row) for row in rows]
