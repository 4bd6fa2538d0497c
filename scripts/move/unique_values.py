"""The unique values of an organization, entered into the catalogue for look-ups during its move."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from scripts.move.databases import Connection
from scripts.move.errors import MoveError
from tenancy.stores.postgres.platform.catalogue import list_values, upsert_entries

# The answer for an Idempotency-Key was stored in the home, with the organization. The request is in the catalogue.
LIST_ANSWERS: Final = """
    SELECT answer, credential_id, key_digest FROM provisioning_requests
    WHERE organization_id = %s AND answer IS NOT NULL
"""
PUT_ANSWER: Final = """
    UPDATE provisioning_requests SET answer = %s WHERE credential_id = %s AND key_digest = %s AND answer IS NULL
"""
DELETE_REQUESTS: Final = "DELETE FROM provisioning_requests WHERE organization_id = %s"


def enter_values(source: Connection, catalogue: Connection, organization_id: UUID) -> None:
    """Enter the unique values and the answers of the organization into the catalogue. Idempotent.

    Look-ups then find the organization by its entry, also between the commit of its move and the end of it.

    Raises:
        MoveError: another organization has a value.
    """
    entries = set(list_values(source, organization_id))
    with catalogue.transaction():
        entered = upsert_entries(catalogue, organization_id, entries, now=datetime.now(UTC)) if entries else set()
        if taken := entries - entered:
            kinds = ", ".join(sorted({entry.kind for entry in taken}))
            raise MoveError(f"Another organization has these values of {organization_id} in the catalogue: {kinds}.")
        for answer in source.execute(LIST_ANSWERS, (organization_id,)).fetchall():
            catalogue.execute(PUT_ANSWER, answer)


def delete_answers(source: Connection, organization_id: UUID) -> None:
    """Delete the answers that the catalogue has. Idempotent."""
    source.execute(DELETE_REQUESTS, (organization_id,))
