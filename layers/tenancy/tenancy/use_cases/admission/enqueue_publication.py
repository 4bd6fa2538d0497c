"""Enqueue the publication of a new standing, or of a credential's new state, to Redis."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.rules.durations import PUBLICATION_CLAIM_TIME
from tenancy.rules.organization import Organization
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.outbox import OutboxEntry, insert_claimed_entry
from tenancy.use_cases.outbox.run_entries import OutboxKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedOrganization:
    """The organization after a change. If not *is_published*, the sweep publishes it later."""

    organization: Organization
    is_published: bool


def enqueue_publication(conn: Connection, organization_id: UUID, *, now: datetime) -> OutboxEntry:
    """Insert an outbox entry for the standing, already claimed by the caller.

    The caller runs it after the commit. If the caller dies, the sweep runs it.
    """
    return insert_claimed_entry(conn, organization_id, OutboxKind.STANDING, {}, until=now + PUBLICATION_CLAIM_TIME)


def enqueue_credential_publication(
    conn: Connection, organization_id: UUID, credential_id: UUID, *, now: datetime
) -> OutboxEntry:
    """Insert an outbox entry for the state of a key or member, already claimed by the caller.

    The caller runs it after the commit. If the caller dies, the sweep runs it.
    """
    payload = {"credential_id": str(credential_id)}
    return insert_claimed_entry(
        conn, organization_id, OutboxKind.CREDENTIAL, payload, until=now + PUBLICATION_CLAIM_TIME
    )
