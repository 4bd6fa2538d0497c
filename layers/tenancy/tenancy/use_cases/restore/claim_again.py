"""Enter the values of all organizations into a restored catalogue again.

The catalogue may be older or newer than the homes.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.rules.homes import Entry
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.catalogue import list_public_values, list_values, upsert_entries
from tenancy.use_cases.homes.claim_values import claim_values

PROGRESS_STEP: Final = 1000  # organizations

type Say = Callable[[str], None]


def claim_again(platform_db: Homes, organization_ids: Collection[UUID], *, now: datetime, say: Say) -> list[str]:
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
    shared, faults = _find_shared(platform_db), []
    for number, organization_id in enumerate(organization_ids, start=1):
        with platform_db.tenant_transaction(organization_id) as conn:
            entries = list_values(conn, organization_id)
        taken = {entry for entry in entries if entry in shared}
        taken |= _claim(platform_db, organization_id, set(entries) - taken, now)
        faults += [
            f"{organization_id}: another organization has its {entry.kind} {entry.value!r}, too"
            for entry in sorted(taken)
        ]
        if number % PROGRESS_STEP == 0:
            say(f"the values of {number} of {len(organization_ids)} organizations are claimed again")
    return faults


def _find_shared(platform_db: Homes) -> set[Entry]:
    """Return the values that several organizations have. Keys are random, so no two have the same one."""
    owners: dict[Entry, UUID] = {}
    shared = set()
    for database in platform_db.every():
        with database.transaction() as conn:
            for entry, organization_id in list_public_values(conn):
                if owners.setdefault(entry, organization_id) != organization_id:
                    shared.add(entry)
    return shared


def _claim(platform_db: Homes, organization_id: UUID, entries: Collection[Entry], now: datetime) -> set[Entry]:
    """Claim *entries*, and return those of other organizations."""
    if not entries:
        return set()
    with platform_db.catalogue.transaction() as conn:
        claimed = upsert_entries(conn, organization_id, entries, now=now)
    # No function runs, so no row of a claim is about to be stored.
    return {
        entry
        for entry in set(entries) - claimed.keys()
        if claim_values(platform_db, organization_id, [entry], now=now, claim_time=timedelta()) is not None
    }
