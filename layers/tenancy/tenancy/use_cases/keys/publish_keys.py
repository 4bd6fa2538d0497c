"""Publish changed keys to Redis, so that each change takes effect at the next request.

Ends of keys are also written to the register. After a restore, a replay of the register ends these keys again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.rules.register import ended_keys
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.outbox import OutboxEntry
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.enqueue_registration import enqueue_registration
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_entry

type Publications = list[OutboxEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published[Result]:
    """The result of a change. If not *is_published*, the sweep publishes the change later."""

    result: Result
    is_published: bool


def enqueue_ended_keys(
    conn: Connection, organization_id: UUID, key_ids: Sequence[UUID], *, ends_at: datetime, now: datetime
) -> Publications:
    """Insert outbox entries for keys that end at *ends_at*: their publication, and their entry of the register.

    The caller has claimed the entries, and runs them after the commit.
    """
    if not key_ids:
        return []
    entry = ended_keys(organization_id, key_ids, ends_at=ends_at)
    registration = enqueue_registration(conn, organization_id, entry, now=now)
    publications = [enqueue_credential_publication(conn, organization_id, key_id, now=now) for key_id in key_ids]
    return [*publications, registration]


def publish_keys(platform_db: Homes, targets: OutboxTargets, publications: Publications, *, now: datetime) -> bool:
    """Run the entries after their commit, and return whether all publications succeeded.

    After a failure the other publications are left to the sweep: each would wait for Redis as well. The entry of the
    register is written in any case. If that fails, the sweep writes it.
    """
    registrations = [entry for entry in publications if entry.kind == OutboxKind.REGISTRATION]
    others = [entry for entry in publications if entry.kind != OutboxKind.REGISTRATION]
    is_published = all(run_entry(platform_db, targets, entry, now=now) for entry in others)
    for entry in registrations:
        run_entry(platform_db, targets, entry, now=now)
    return is_published


def publish_again(
    platform_db: Homes,
    targets: OutboxTargets,
    organization_id: UUID,
    key_id: UUID,
    *,
    ends_at: datetime,
    now: datetime,
) -> bool:
    """Publish and register a key. The earlier request that ended it may have died after its commit.

    Return whether the key is published.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        publications = enqueue_ended_keys(conn, organization_id, [key_id], ends_at=ends_at, now=now)
    return publish_keys(platform_db, targets, publications, now=now)
