"""Claim values that are unique among the organizations of several databases, before a home stores them.

A crash after the claim leaves an entry without a row in a home. No schedule removes it. The next claim of the value
asks the home of the entry's organization, and takes over an entry that is older than any running function.

A value that is older than the second database has no entry. So a claim asks each database, too: before it enters the
value, so that a refusal leaves no entry, and after it, because a process that knows one database may store the value
meanwhile.

With one database nothing is claimed, because its look-up tables refuse a second owner. But once values are entered for
several databases (`ENTERING`), each new one is claimed, also by a process that still knows one database.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tenancy.errors import DomainTakenError
from tenancy.rules.durations import VALUE_CLAIM_TIME
from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.catalogue import (
    delete_entries,
    find_claim,
    has_entering_begun,
    list_users,
    list_values,
    take_entry,
    upsert_entries,
    withdraw_entries,
)


def claim_values(
    homes: Homes,
    organization_id: UUID,
    entries: Sequence[Entry],
    *,
    now: datetime,
    claim_time: timedelta = VALUE_CLAIM_TIME,
) -> Entry | None:
    """Claim *entries* for the organization, and return one that another organization has, or None.

    If another organization has one, no entry of this call is left. A claim that is younger than *claim_time* is not
    taken over: its row may be about to be stored.

    Raises:
        UnavailableError: a database is unreachable.
    """
    if not must_claim(homes):
        return None
    if (used := _find_used(homes, organization_id, entries)) is not None:
        return used
    with homes.catalogue.transaction() as conn:
        claimed = upsert_entries(conn, organization_id, entries, now=now)
    added = {entry for entry, is_new in claimed.items() if is_new}
    used = None
    for entry in entries:
        if entry not in claimed:
            if not _take_over(homes, organization_id, entry, now, claim_time):
                used = entry
                break
            added.add(entry)
    used = used or _find_used(homes, organization_id, entries)
    if used is not None and added:
        with homes.catalogue.transaction() as conn:
            withdraw_entries(conn, organization_id, added, claimed_at=now)
    return used


def must_claim(homes: Homes) -> bool:
    """Return whether new values must be claimed in the catalogue.

    They must if there are several databases, also if this process still knows one only.

    Raises:
        UnavailableError: the catalogue is unreachable.
    """
    return len(homes.every()) > 1 or homes.catalogue.look_up(has_entering_begun)


def claim_key(homes: Homes, organization_id: UUID, key: ApiKey, *, now: datetime) -> None:
    """Claim a new key for the organization, so that look-ups find it as soon as its home has it.

    Raises:
        UnavailableError: a database is unreachable. The key does not exist yet.
    """
    claim_values(homes, organization_id, [Entry(EntryKind.KEY, key.digest.hex())], now=now)


def claim_domain(
    homes: Homes, organization_id: UUID, kind: EntryKind, domain: str, *, record_name: str, now: datetime
) -> None:
    """Claim a domain that the organization is about to prove by the TXT record at *record_name*.

    Raises:
        DomainTakenError: the domain is proven for another organization.
        UnavailableError: a database is unreachable. The domain is not proven yet.
    """
    if claim_values(homes, organization_id, [Entry(kind, domain)], now=now) is not None:
        raise DomainTakenError(domain, record_name=record_name)


def enter_values(homes: Homes, organization_id: UUID, *, now: datetime) -> None:
    """Enter all values of an organization into the catalogue. Idempotent.

    While a move is cut over, a value without an entry is found in no database.

    Raises:
        UnavailableError: a database is unreachable.
    """
    with homes.tenant_transaction(organization_id) as conn:
        entries = list_values(conn, organization_id)
    if entries:
        with homes.catalogue.transaction() as conn:
            upsert_entries(conn, organization_id, entries, now=now)


def release_values(homes: Homes, organization_id: UUID) -> None:
    """Delete the entries of an organization that was not provisioned, or is erased.

    Raises:
        UnavailableError: the catalogue is unreachable. The entries can be taken over later.
    """
    if must_claim(homes):
        with homes.catalogue.transaction() as conn:
            delete_entries(conn, organization_id)


def _take_over(homes: Homes, organization_id: UUID, entry: Entry, now: datetime, claim_time: timedelta) -> bool:
    """Take over an entry without a row in any home, and return whether it was one."""
    with homes.catalogue.transaction() as conn:
        claim = find_claim(conn, entry)
    if claim is None or claim.claimed_at > now - claim_time:
        return False
    with homes.tenant_transaction(claim.organization_id) as conn:
        if claim.organization_id in list_users(conn, entry):
            return False
    with homes.catalogue.transaction() as conn:
        return take_entry(conn, organization_id, entry, claim, now=now)


def _find_used(homes: Homes, organization_id: UUID, entries: Sequence[Entry]) -> Entry | None:
    """Return one of *entries* that another organization has in any database, or None.

    No database shows the keys of other organizations. No two have the same one, because keys are random.
    """
    wanted = [entry for entry in entries if entry.kind is not EntryKind.KEY]
    for database in homes.every() if wanted else ():
        with database.transaction() as conn:
            for entry in wanted:
                if set(list_users(conn, entry)) - {organization_id}:
                    return entry
    return None
