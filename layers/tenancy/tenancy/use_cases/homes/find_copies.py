"""Find the databases with a copy of an organization, beside its home."""

from uuid import UUID

from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organization_rows import has_copy


def find_copies(homes: Homes, organization_id: UUID) -> list[str]:
    """Return the names of databases with a copy of the organization by an unfinished move.

    Call it after the rows of the home were counted. No move that begins later can copy more than the home has.

    Raises:
        UnavailableError: a database is unreachable, so copies there are unknown.
    """
    if len(homes.every()) == 1:
        return []
    home, found = homes.of(organization_id), []
    for name, database in homes.by_name().items():
        if database is not home:
            with database.tenant_transaction(organization_id, is_snapshot=True, ignores_moves=True) as conn:
                if has_copy(conn, organization_id):
                    found.append(name)
    return found
