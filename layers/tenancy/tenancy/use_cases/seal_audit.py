"""Every minute: refusals of past minutes become records, and records become links of their organization's chain."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.audit import merge_refusals
from tenancy.audit_chain import START, Link, next_link
from tenancy.stores.audit import find_head, insert_record
from tenancy.stores.platform.audit import list_unsealed, list_unsealed_logs, take_refusals, update_seals
from tenancy.stores.postgres import Database

COUNTING_TIME: Final = timedelta(minutes=2)  # a refusal's minute, and its way through the queue
BATCH: Final = 1000


def seal_audit_logs(platform_db: Database, *, now: datetime) -> Mapping[UUID, Link]:
    """Seal what is unsealed and return the new head of each log that grew.

    One transaction a log and batch: a death in between leaves whole chains. One sealer at a time, by the sweep's lease;
    the unique sequence makes a second one fail, not fork.

    Raises:
        UnavailableError: the database is away; the next minute goes on.
    """
    _record_refusals(platform_db, before=(now - COUNTING_TIME).replace(second=0, microsecond=0))
    with platform_db.transaction() as conn:
        organization_ids = list_unsealed_logs(conn)
    return {organization_id: _seal_log(platform_db, organization_id) for organization_id in organization_ids}


def _record_refusals(platform_db: Database, *, before: datetime) -> None:
    with platform_db.transaction() as conn:
        for refusal in merge_refusals(take_refusals(conn, before=before)):
            insert_record(conn, refusal.organization_id, refusal.record)


def _seal_log(platform_db: Database, organization_id: UUID) -> Link:
    while True:
        with platform_db.transaction() as conn:
            link = find_head(conn, organization_id) or START
            entries = list_unsealed(conn, organization_id, limit=BATCH)
            links: dict[UUID, Link] = {}
            for entry in entries:
                link = links[entry.id] = next_link(link, entry)
            if links:
                update_seals(conn, organization_id, links)
        if len(entries) < BATCH:
            return link
