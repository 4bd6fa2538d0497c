"""Enter the values of all organizations into a restored catalogue again.

The catalogue may be older or newer than the homes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.catalogue import list_values
from tenancy.use_cases.homes.claim_values import claim_values


def claim_again(platform_db: Homes, organization_ids: Iterable[UUID], *, now: datetime) -> list[str]:
    """Claim the values of the organizations, and return a sentence for each conflict.

    A restored catalogue may still assign a value to an organization that no longer has it. Look-ups of the value would
    then ask the wrong organization.
    A restored home may have a domain that its organization has given up, and that another one has proven since. With
    one database there are no entries, and its unique indexes rule that out.

    Raises:
        UnavailableError: a database is unreachable.
    """
    if len(platform_db.every()) == 1:
        return []
    faults = []
    for organization_id in organization_ids:
        with platform_db.tenant_transaction(organization_id) as conn:
            entries = list_values(conn, organization_id)
        if not entries:
            continue
        # No function runs, so no row of a claim is about to be stored.
        taken = claim_values(platform_db, organization_id, entries, now=now, claim_time=timedelta())
        if taken is not None:
            faults.append(f"{organization_id}: another organization has its {taken.kind} {taken.value!r}, too")
    return faults
