"""The unique values of an organization, entered into the catalogue for look-ups during its move."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from scripts.move.checks import require_database
from scripts.move.databases import Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.homes import find_home
from tenancy.rules.durations import VALUE_CLAIM_TIME
from tenancy.rules.homes import CATALOGUE, Entry
from tenancy.stores.postgres.platform.catalogue import find_claim, list_users, list_values, take_entry, upsert_entries

# The answer for an Idempotency-Key was stored in the home, with the organization. The request is in the catalogue.
LIST_ANSWERS: Final = """
    SELECT answer, credential_id, key_digest FROM provisioning_requests
    WHERE organization_id = %s AND answer IS NOT NULL
"""
PUT_ANSWER: Final = """
    UPDATE provisioning_requests SET answer = %s WHERE credential_id = %s AND key_digest = %s AND answer IS NULL
"""
TWO_OWNERS: Final = (
    "The organization {other} has the same {kind} as {organization_id}. Remove it from one of them, and run the same"
    " command again."
)
CLAIMED_NOW: Final = (
    "The organization {other} has just claimed a {kind} of {organization_id}. Run the same command again in {minutes}"
    " minutes."
)
DELETE_REQUESTS: Final = "DELETE FROM provisioning_requests WHERE organization_id = %s"


def enter_values(connections: Connections, name: str, organization_id: UUID) -> None:
    """Enter the unique values and the answers of the organization in *name* into the catalogue. Idempotent.

    Look-ups then find the organization by its entry, also between the commit of its move and the end of it. An entry
    without a row in its organization's home is of a process that died, and is taken over.

    Raises:
        MoveError: another organization has a value, or claimed it a short time ago.
    """
    source, catalogue, now = connections.mover(name), connections.mover(CATALOGUE), datetime.now(UTC)
    entries = set(list_values(source, organization_id))
    with catalogue.transaction():
        entered = upsert_entries(catalogue, organization_id, entries, now=now) if entries else {}
        for entry in sorted(entries - entered.keys()):
            _take_over(connections, organization_id, entry, now=now)
        for answer in source.execute(LIST_ANSWERS, (organization_id,)).fetchall():
            catalogue.execute(PUT_ANSWER, answer)


def delete_answers(source: Connection, organization_id: UUID) -> None:
    """Delete the answers that the catalogue has. Idempotent."""
    source.execute(DELETE_REQUESTS, (organization_id,))


def _take_over(connections: Connections, organization_id: UUID, entry: Entry, *, now: datetime) -> None:
    catalogue = connections.mover(CATALOGUE)
    claim = find_claim(catalogue, entry)
    if claim is None:
        raise MoveError(f"A claim of a {entry.kind} of {organization_id} ended meanwhile. Run the same command again.")
    names = {"kind": entry.kind, "organization_id": organization_id, "other": claim.organization_id}
    require_database(connections, find_home(catalogue, claim.organization_id))
    if any(claim.organization_id in list_users(connections.mover(each), entry) for each in connections.databases):
        raise MoveError(TWO_OWNERS.format(**names))
    is_old = claim.claimed_at <= now - VALUE_CLAIM_TIME
    if not is_old or not take_entry(catalogue, organization_id, entry, claim, now=now):
        raise MoveError(CLAIMED_NOW.format(**names, minutes=VALUE_CLAIM_TIME // timedelta(minutes=1)))
