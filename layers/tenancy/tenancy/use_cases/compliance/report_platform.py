"""The compliance report of the platform, read by the platform's role over all organizations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from tenancy.rules.compliance import (
    MAX_SHOWN,
    DeletionState,
    Drift,
    ErasureCounts,
    KeyAge,
    Listed,
    OverdueKeys,
)
from tenancy.rules.durations import DELETION_OVERDUE_AFTER, RECOUNT_DEADLINE, REPORT_STATEMENT_SECONDS
from tenancy.rules.merged_compliance import (
    merge_deletions,
    merge_excerpts,
    merge_lists,
    merge_row_security,
    sum_drifts,
    sum_erasures,
    worst_of,
)
from tenancy.rules.usage import Period
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.compliance import (
    count_all_erasures,
    find_last_clean_up,
    list_deletions,
    list_overdue_keys,
    list_platform_key_ages,
    read_platform_excerpt,
)
from tenancy.stores.postgres.platform.deletions import list_overdue
from tenancy.stores.postgres.platform.drift import sum_drift
from tenancy.stores.postgres.row_security import find_connection_settings, read_row_security
from tenancy.use_cases.compliance.deployment import DeployedFacts, Deployment
from tenancy.use_cases.compliance.facts import ReportFacts

MAX_COUNTED: Final = 10_000  # organizations with overdue keys


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformReport:
    """The report of the platform.

    *last_clean_up* is the last month for which retention was applied. *overdue_keys* are by organization.
    """

    facts: ReportFacts
    last_clean_up: date | None
    deletions: Listed[DeletionState]
    overdue_deletions: int
    erasure_counts: ErasureCounts
    platform_keys: Listed[KeyAge]
    overdue_keys: Listed[OverdueKeys]
    drift: Drift


def report_platform(
    platform_db: Homes,
    deployment: Deployment,
    period: Period,
    *,
    now: datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> PlatformReport:
    """Return the report of the platform, with the facts of all databases.

    Raises:
        UnavailableError: a database is unreachable, or ended a statement that took too long.
    """
    deployed = deployment.read(now=now, has_time=has_time)  # before the transactions: AWS may be slow
    reports = [_report(database, deployed, period, now) for database in platform_db.every()]
    return reports[0] if len(reports) == 1 else _merge(reports)


def _report(platform_db: Database, deployed: DeployedFacts, period: Period, now: datetime) -> PlatformReport:
    row_security, (connection, archive) = read_row_security(platform_db), find_connection_settings(platform_db)
    with platform_db.transaction(statement_seconds=REPORT_STATEMENT_SECONDS) as conn:
        overdue_keys = list_overdue_keys(conn, now=now, limit=MAX_COUNTED)
        overdue_deletions = list_overdue(
            conn, purged_before=now - DELETION_OVERDUE_AFTER, erased_before=now - RECOUNT_DEADLINE
        )
        facts = ReportFacts(
            generated_at=now,
            period=period,
            row_security=row_security,
            connection=connection,
            archive=archive,
            deployed=deployed,
            log=read_platform_excerpt(conn, period),
        )
        return PlatformReport(
            facts=facts,
            last_clean_up=find_last_clean_up(conn),
            deletions=list_deletions(conn, period),
            overdue_deletions=len(overdue_deletions),
            erasure_counts=count_all_erasures(conn, period, now=now),
            platform_keys=list_platform_key_ages(conn, now=now),
            overdue_keys=Listed(count=len(overdue_keys), rows=overdue_keys[:MAX_SHOWN]),
            drift=sum_drift(conn, period),
        )


def _merge(reports: Sequence[PlatformReport]) -> PlatformReport:
    facts = [each.facts for each in reports]
    clean_ups = [each.last_clean_up for each in reports if each.last_clean_up is not None]
    overdue_keys = [each.overdue_keys for each in reports]
    return PlatformReport(
        facts=replace(
            facts[0],
            row_security=merge_row_security([each.row_security for each in facts]),
            connection=worst_of([each.connection for each in facts]),
            archive=worst_of([each.archive for each in facts]),
            log=merge_excerpts([each.log for each in facts]),
        ),
        last_clean_up=min(clean_ups) if len(clean_ups) == len(reports) else None,
        deletions=merge_deletions([each.deletions for each in reports]),
        overdue_deletions=sum(each.overdue_deletions for each in reports),
        erasure_counts=sum_erasures([each.erasure_counts for each in reports]),
        platform_keys=reports[0].platform_keys,  # the catalogue has them
        overdue_keys=merge_lists(overdue_keys, lambda each: (each.oldest_created_at, each.organization_id)),
        drift=sum_drifts([each.drift for each in reports]),
    )
