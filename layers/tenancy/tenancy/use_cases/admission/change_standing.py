"""What every change of an organization owes: Redis is to be told how it stands from now on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.rules.organization import Organization
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.outbox import Effect, insert_claimed_effect
from tenancy.use_cases.outbox.effects import Kind

# No longer than the request may wait for Redis: who died is to be succeeded before Redis forgets by itself, within a
# minute, and two who tell it the same do no harm.
CLAIM_TIME: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The organization after a change; while it is not *is_published*, Redis may not know, and the sweep tells it."""

    organization: Organization
    is_published: bool


def owe_publication(conn: Connection, organization_id: UUID, *, now: datetime) -> Effect:
    """Owe it in the transaction of the change, for who finishes it right after the commit; later the sweep does."""
    return insert_claimed_effect(conn, organization_id, Kind.STANDING, {}, until=now + CLAIM_TIME)
