"""The facts of a compliance report from several databases, merged into those of one platform."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tenancy.rules.compliance import (
    MAX_SHOWN,
    AccessKind,
    DeletionState,
    Drift,
    ErasureCounts,
    Listed,
    LogExcerpt,
    RowSecurity,
    Setting,
    SettingState,
    TableSecurity,
)
from tenancy.rules.organization import OrganizationStatus

END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
WORST_FIRST: Final = (SettingState.OFF, SettingState.NOT_KNOWN, SettingState.ON)


def merge_lists[Row](lists: Sequence[Listed[Row]], order: Callable[[Row], Any], *, newest: bool = False) -> Listed[Row]:
    """Return the first rows of all *lists* by *order*, and the sum of their counts."""
    rows = sorted((row for each in lists for row in each.rows), key=order, reverse=newest)
    return Listed(count=sum(each.count for each in lists), rows=rows[:MAX_SHOWN])


def merge_deletions(lists: Sequence[Listed[DeletionState]]) -> Listed[DeletionState]:
    """Return deletions that are not finished, oldest first, then those that ended."""
    return merge_lists(
        lists,
        lambda each: (each.status is OrganizationStatus.ERASED, each.purge_at or END_OF_TIME, each.organization_id),
    )


def merge_excerpts(excerpts: Sequence[LogExcerpt]) -> LogExcerpt:
    """Return the entries of all logs, newest first. All of them have their entries since the latest cut."""
    cuts = [each.entries_since for each in excerpts if each.entries_since is not None]
    return LogExcerpt(
        starts_at=excerpts[0].starts_at,
        entries_since=max(cuts, default=None),
        read=sum(each.read for each in excerpts),
        entries={kind: _merge_kind(excerpts, kind) for kind in excerpts[0].entries},
    )


def _merge_kind(excerpts: Sequence[LogExcerpt], kind: AccessKind) -> Any:  # noqa: ANN401 - the list of the excerpt
    lists = [each.entries[kind] for each in excerpts]
    return merge_lists(lists, lambda each: (each.occurred_at, each.id), newest=True)


def merge_row_security(securities: Sequence[RowSecurity]) -> RowSecurity:
    """Return each table once, as the database has it that protects it least."""
    tables: dict[str, TableSecurity] = {}
    for security in securities:
        for each in security.tables:
            known = tables.get(each.table)
            if known is None or known.is_protected:
                tables[each.table] = each
    roles = dict.fromkeys(role for each in securities for role in each.unbound_roles)
    return RowSecurity(tables=list(tables.values()), unbound_roles=list(roles))


def worst_of(settings: Sequence[Setting]) -> Setting:
    """Return the setting of the database that has the worst state."""
    return min(settings, key=lambda each: WORST_FIRST.index(each.state))


def sum_erasures(counts: Sequence[ErasureCounts]) -> ErasureCounts:
    """Return the sums of all *counts*."""
    return ErasureCounts(
        pending=sum(each.pending for each in counts),
        erased=sum(each.erased for each in counts),
        confirmed=sum(each.confirmed for each in counts),
        overdue=sum(each.overdue for each in counts),
    )


def sum_drifts(drifts: Sequence[Drift]) -> Drift:
    """Return the sums of all *drifts*."""
    return Drift(
        roll_ups=sum(each.roll_ups for each in drifts),
        measured=sum(each.measured for each in drifts),
        counter_events=sum(each.counter_events for each in drifts),
        statistics_events=sum(each.statistics_events for each in drifts),
    )
