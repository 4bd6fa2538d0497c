"""Seal the audit logs: link unsealed records to the chain of their organization.

Counted refusals are first written as records.
"""

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
    """The new head of each log that grew, and the failures of other logs."""

    heads: Mapping[UUID, ChainLink]
    failures: Sequence[Exception]


def seal_audit_logs(platform_db: Database, *, now: datetime, has_time: Callable[[], bool] = lambda: True) -> SealedLogs:
    """Seal unsealed records while there is time, the oldest log first.

    A log that cannot be sealed does not delay the others. Each transaction is bounded, however many records are
    unsealed. A run that dies leaves whole chains. The sweep's lease allows one sealer at a time. A second sealer of the
    same log fails with SealedMeanwhileError and changes nothing.

    Raises:
        UnavailableError: the database is unreachable. The next minute continues.
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
                if (head := _seal_log(platform_db, organization_id)) is not None:
                    heads[organization_id] = head
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


def _seal_log(platform_db: Database, organization_id: UUID) -> ChainLink | None:
    """Seal the log of an organization, and return its new head.

    The head is None if there was nothing to seal: the organization may have been moved since its log was listed.
    """
    sealed: ChainLink | None = None
    while True:
        with platform_db.transaction() as conn:
            link = lock_head(conn, organization_id) or CHAIN_START
            entries = list_unsealed(conn, organization_id, limit=BATCH)
            links: dict[UUID, ChainLink] = {}
            for entry in entries:
                link = links[entry.id] = seal_entry(link, entry)
            if links:
                update_seals(conn, organization_id, links)
        sealed = link if links else sealed
        if len(entries) < BATCH:
            return sealed
