"""The facts of a report from two databases are merged without losing a problem of either."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenancy.rules.compliance import (
    MAX_SHOWN,
    AccessEntry,
    AccessKind,
    DeletionState,
    Listed,
    LogExcerpt,
    RowPolicy,
    RowSecurity,
    Setting,
    TableSecurity,
)
from tenancy.rules.merged_compliance import (
    merge_deletions,
    merge_excerpts,
    merge_lists,
    merge_row_security,
    worst_of,
)
from tenancy.rules.organization import OrganizationStatus

ACME, GLOBEX = UUID(int=1), UUID(int=2)


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


def entry(organization_id: UUID, number: int) -> AccessEntry:
    return AccessEntry(
        id=UUID(int=number),
        organization_id=organization_id,
        occurred_at=day(number),
        actor_kind="operator",
        actor_id=UUID(int=9),
        action="x",
        outcome="done",
        target="",
        count=1,
    )


def excerpt(organization_id: UUID, days: list[int], since: datetime | None) -> LogExcerpt:
    rows = [entry(organization_id, each) for each in days]
    entries = {AccessKind.OPERATOR: Listed(count=len(rows), rows=rows)}
    return LogExcerpt(starts_at=day(1), entries_since=since, read=len(rows), entries=entries)


def test_lists_are_merged_by_their_order_and_bound() -> None:
    merged = merge_lists([Listed(count=200, rows=range(0, 200, 2)), Listed(count=2, rows=[1, 3])], lambda each: each)

    assert merged.count == 202
    assert list(merged.rows[:5]) == [0, 1, 2, 3, 4]
    assert len(merged.rows) == MAX_SHOWN


def test_logs_are_merged_newest_first_since_the_latest_cut() -> None:
    merged = merge_excerpts([excerpt(ACME, [9, 3], None), excerpt(GLOBEX, [7], day(2))])

    shown = merged.entries[AccessKind.OPERATOR]
    assert [each.occurred_at for each in shown.rows] == [day(9), day(7), day(3)]
    assert (shown.count, merged.read, merged.entries_since) == (3, 3, day(2))
    assert not merged.is_complete


def test_deletions_that_are_not_finished_come_first() -> None:
    ended = DeletionState(
        organization_id=ACME,
        status=OrganizationStatus.ERASED,
        deleted_at=day(1),
        purge_at=day(2),
        erased_at=day(2),
        certificates=2,
        last_certified_at=day(3),
    )
    pending = replace(ended, organization_id=GLOBEX, status=OrganizationStatus.DELETED, purge_at=day(9))

    merged = merge_deletions([Listed(count=1, rows=[ended]), Listed(count=1, rows=[pending])])

    assert list(merged.rows) == [pending, ended]


def test_table_is_protected_where_all_databases_protect_it() -> None:
    own = "(organization_id = ( SELECT current_tenant() AS current_tenant))"
    policy = RowPolicy(
        name="tenant_isolation",
        command="ALL",
        is_permissive=True,
        roles=["tenancy_functions"],
        using=own,
        check=own,
        is_for_tenants=True,
    )
    good = TableSecurity(table="apps", is_enabled=True, is_forced=True, policies=[policy])
    bad = replace(good, is_forced=False)
    healthy = RowSecurity(tables=[good], unbound_roles=[])

    for order in ([healthy, replace(healthy, tables=[bad])], [replace(healthy, tables=[bad]), healthy]):
        assert merge_row_security(order).unprotected == ["apps"]
    assert merge_row_security([healthy, healthy]).unprotected == []
    assert merge_row_security([healthy, replace(healthy, unbound_roles=["x"])]).unbound_roles == ["x"]


@pytest.mark.parametrize("is_first", [True, False])
def test_worst_setting_is_shown(*, is_first: bool) -> None:
    on, off = Setting.of("database", "tls", "1.3"), Setting.of("database", "tls", None)
    unknown = Setting.not_known("database", "tls", "no rights")

    assert worst_of([off, on] if is_first else [on, off]) is off
    assert worst_of([unknown, on] if is_first else [on, unknown]) is unknown
