"""Every minute: refusals of past minutes become records, and records become links of their organization's chain."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.audit_chain import START, Link, next_link
from tenancy.stores.audit import insert_record
from tenancy.stores.platform.audit import (
    count_refusals,
    delete_refusals,
    list_unsealed,
    list_unsealed_logs,
    lock_head,
    update_seals,
)
from tenancy.stores.postgres import Database

COUNTING_TIME: Final = timedelta(minutes=2)  # a refusal's minute, and its way through the queue
COMING_TIME: Final = timedelta(days=30)  # a message comes again for 14 days, and from the dead letters for 14 more
REFUSALS: Final = 10_000
BATCH: Final = 1000


def seal_audit_logs(platform_db: Database, *, now: datetime) -> Mapping[UUID, Link]:
    """Seal what is unsealed and return the new head of each log that grew.

    Each transaction is bounded, however much waits; a death in between leaves whole chains. One sealer at a time, by
    the sweep's lease; a second one at the same log fails and changes nothing.

    Raises:
        UnavailableError: the database is away; the next minute goes on.
        SealedMeanwhileError: another sealer is at it.
    """
    _record_refusals(platform_db, now=now)
    with platform_db.transaction() as conn:
        organization_ids = list_unsealed_logs(conn)
    return {organization_id: _seal_log(platform_db, organization_id) for organization_id in organization_ids}


def _record_refusals(platform_db: Database, *, now: datetime) -> None:
    before = (now - COUNTING_TIME).replace(second=0, microsecond=0)
    counted = REFUSALS
    while counted >= REFUSALS:
        with platform_db.transaction() as conn:
            records = count_refusals(conn, before=before, limit=REFUSALS, now=now)
            for each in records:
                insert_record(conn, each.organization_id, each.record)
            delete_refusals(conn, counted_before=now - COMING_TIME)
        counted = sum(each.record.count for each in records)


def _seal_log(platform_db: Database, organization_id: UUID) -> Link:
    while True:
        with platform_db.transaction() as conn:
            link = lock_head(conn, organization_id) or START
            entries = list_unsealed(conn, organization_id, limit=BATCH)
            links: dict[UUID, Link] = {}
            for entry in entries:
                link = links[entry.id] = next_link(link, entry)
            if links:
                update_seals(conn, organization_id, links)
        if len(entries) < BATCH:
            return link
