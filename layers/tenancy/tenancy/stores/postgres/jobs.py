"""The values and the lock that exports and erasures have in common."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import Actor

# Advisory locks are numbers: these are the organization's, and end with the transaction.
LOCK_JOBS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def job_values(organization_id: UUID, job_id: UUID, actor: Actor, now: datetime) -> dict[str, object]:
    """Return the values that every job of an organization is inserted with."""
    return {
        "id": job_id,
        "organization_id": organization_id,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "now": now,
    }
