"""Publish changed keys to Redis, so that each change takes effect at the next request."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.outbox import OutboxEntry
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry

type Publications = list[OutboxEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published[Result]:
    """The result of a change. If not *is_published*, the sweep publishes the change later."""

    result: Result
    is_published: bool


def enqueue_key_publications(
    conn: Connection, organization_id: UUID, key_ids: Iterable[UUID], *, now: datetime
) -> Publications:
    """Insert an outbox entry for each key, already claimed by the caller.

    The caller runs the entries after the commit.
    """
    return [enqueue_credential_publication(conn, organization_id, key_id, now=now) for key_id in key_ids]


def publish_keys(platform_db: Database, targets: OutboxTargets, publications: Publications, *, now: datetime) -> bool:
    """Run the entries after their commit, and return whether all succeeded.

    After a failure the others are left to the sweep: each would wait for Redis as well.
    """
    return all(run_entry(platform_db, targets, entry, now=now) for entry in publications)


def publish_again(
    platform_db: Database, targets: OutboxTargets, organization_id: UUID, key_id: UUID, *, now: datetime
) -> bool:
    """Publish a key whose earlier request may have died after its commit.

    Return whether the key is published.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        publications = enqueue_key_publications(conn, organization_id, [key_id], now=now)
    return publish_keys(platform_db, targets, publications, now=now)
