"""Restart deletions after their execution was lost, or has failed and was not redriven."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from tenancy.errors import UnavailableError
from tenancy.rules.deletion import Deletion
from tenancy.rules.durations import (
    DELETION_OVERDUE_AFTER,
    EXECUTION_LOST_AFTER,
    RECOUNT_DEADLINE,
    RESTART_FIRST_BACKOFF,
    RESTART_MAX_BACKOFF,
)
from tenancy.stores.aws.executions import Executions, Progress
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.deletions import list_overdue


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartedDeletions:
    """The numbers of restarted, overdue and unchecked deletions."""

    restarted: int
    overdue: int
    unchecked: int


def restart_deletions(
    platform_db: Database, executions: Executions, *, now: datetime, has_time: Callable[[], bool] = lambda: True
) -> RestartedDeletions:
    """Start an execution for every unfinished deletion past its grace period that has none.

    A deletion is finished after the second count of its rows. A deletion is unchecked if Step Functions is unreachable
    or there was no time. The next minute checks it. Overdue deletions are counted from PostgreSQL alone.

    Raises:
        UnavailableError: the database is unreachable. The next minute continues.
    """
    with platform_db.transaction() as conn:
        deletions = list_overdue(conn, purged_before=now - EXECUTION_LOST_AFTER, erased_before=now - RECOUNT_DEADLINE)
    restarted = unchecked = 0
    for deletion in deletions:
        try:
            if has_time():
                restarted += _is_restarted(executions, deletion, now)
            else:
                unchecked += 1
        except UnavailableError:
            unchecked += 1
    overdue = sum(each.erased_at is None and each.purge_at < now - DELETION_OVERDUE_AFTER for each in deletions)
    return RestartedDeletions(restarted=restarted, overdue=overdue, unchecked=unchecked)


def _is_restarted(executions: Executions, deletion: Deletion, now: datetime) -> bool:
    key = deletion.organization_id, deletion.generation
    for attempt in count(1):
        execution = executions.find(*key, attempt=attempt)
        if execution is None:
            executions.start(*key, purge_at=deletion.purge_at, attempt=attempt)
            return True
        backoff = min(RESTART_FIRST_BACKOFF * 2 ** (attempt - 1), RESTART_MAX_BACKOFF)
        ended_at = execution.ended_at
        if execution.progress is Progress.RUNNING or ended_at is None or ended_at > now - backoff:
            return False
    raise AssertionError
