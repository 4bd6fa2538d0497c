"""Enqueue an entry of the register, which a restore replays."""

from datetime import datetime
from uuid import UUID

from tenancy.rules.durations import PUBLICATION_CLAIM_TIME
from tenancy.rules.register import RegisterEntry
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.outbox import OutboxEntry, insert_claimed_entry
from tenancy.use_cases.outbox.run_entries import OutboxKind


def enqueue_registration(
    conn: Connection, organization_id: UUID, entry: RegisterEntry, *, now: datetime
) -> OutboxEntry:
    """Insert an outbox entry for *entry*, already claimed by the caller, in the transaction of its cause.

    The caller runs it after the commit. If the caller dies, the sweep runs it.
    """
    payload = {"name": entry.name, "content": dict(entry.content)}
    until = now + PUBLICATION_CLAIM_TIME
    return insert_claimed_entry(conn, organization_id, OutboxKind.REGISTRATION, payload, until=until)
