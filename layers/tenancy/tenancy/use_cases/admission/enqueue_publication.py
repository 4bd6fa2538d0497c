"""What every change of an organization owes: Redis is to be told how it stands from now on."""

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
    """The organization after a change; while it is not *is_published*, Redis may not know, and the sweep tells it."""

    organization: Organization
    is_published: bool


def enqueue_publication(conn: Connection, organization_id: UUID, *, now: datetime) -> OutboxEntry:
    """Owe it in the transaction of the change, for who finishes it right after the commit; later the sweep does."""
    return insert_claimed_entry(conn, organization_id, OutboxKind.STANDING, {}, until=now + PUBLICATION_CLAIM_TIME)
