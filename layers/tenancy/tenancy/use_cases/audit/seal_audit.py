"""Every minute: refusals of past minutes become records, and records become links of their organization's chain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.audit_chain import CHAIN_START, ChainLink, seal_entry
from tenancy.rules.durations import REFUSAL_COUNTING_TIME, REFUSAL_RETENTION
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.audit_logs import (
    count_refusals,
    delete_refusals,
    list_unsealed,
    list_unsealed_logs,
    lock_head,
    update_seals,
)
from tenancy.use_cases.schedule.failures import collect_failures

REFUSALS: Final = 10_000
BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedLogs:
    """The new head of each log that grew, and why others did not."""

    heads: Mapping[UUID, ChainLink]
    failures: Sequence[Exception]


def seal_audit_logs(platform_db: Database, *, now: datetime, has_time: Callable[[], bool] = lambda: True) -> SealedLogs:
    """Seal what is unsealed while there is time, the oldest first; a log that cannot be sealed keeps no other waiting.

    Each transaction is bounded, however much waits; a death in between leaves whole chains. One sealer at a time, by
    the sweep's lease; a second one at the same log fails (SealedMeanwhileError) and changes nothing.

    Raises:
        UnavailableError: the database is away; the next minute goes on.
    """
    heads: dict[UUID, ChainLink] = {}
    failures: list[Exception] = []
    with collect_failures(failures):
        _record_refusals(platform_db, now=now)
    with platform_db.transaction() as conn:
        organization_ids = list_unsealed_logs(conn)
    for organization_id in organization_ids:
        if has_time():
            with collect_failures(failures):
                heads[organization_id] = _seal_log(platform_db, organization_id)
    return SealedLogs(heads=heads, failures=failures)


def _record_refusals(platform_db: Database, *, now: datetime) -> None:
    before = (now - REFUSAL_COUNTING_TIME).replace(second=0, microsecond=0)
    counted = REFUSALS
    while counted >= REFUSALS:
        with platform_db.transaction() as conn:
            records = count_refusals(conn, before=before, limit=REFUSALS, now=now)
            for each in records:
                insert_audit_record(conn, each.organization_id, each.record)
            delete_refusals(conn, counted_before=now - REFUSAL_RETENTION)
        counted = sum(each.record.count for each in records)


def _seal_log(platform_db: Database, organization_id: UUID) -> ChainLink:
    while True:
        with platform_db.transaction() as conn:
            link = lock_head(conn, organization_id) or CHAIN_START
            entries = list_unsealed(conn, organization_id, limit=BATCH)
            links: dict[UUID, ChainLink] = {}
            for entry in entries:
                link = links[entry.id] = seal_entry(link, entry)
            if links:
                update_seals(conn, organization_id, links)
        if len(entries) < BATCH:
            return link
