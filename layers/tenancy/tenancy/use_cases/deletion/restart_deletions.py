"""Deletions whose execution was lost, or failed and was redriven by nobody: they are started again."""

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
    """How many deletions were started again, how many should long be done, and of how many nobody knows how far."""

    restarted: int
    overdue: int
    unchecked: int


def restart_deletions(
    platform_db: Database, executions: Executions, *, now: datetime, has_time: Callable[[], bool] = lambda: True
) -> RestartedDeletions:
    """Make sure that every deletion whose grace is over, and that was not counted again, has an execution.

    One that Step Functions says nothing of, or that there was no time for, is unchecked: the next minute asks again.
    What is overdue, PostgreSQL alone says.

    Raises:
        UnavailableError: the database is away; the next minute goes on.
    """
    with platform_db.transaction() as conn:
        deletions = list_overdue(conn, purged_before=now - EXECUTION_LOST_AFTER, erased_before=now - RECOUNT_DEADLINE)
    restarted = unchecked = 0
    for deletion in deletions:
        try:
            if has_time():
                restarted += _is_started_again(executions, deletion, now)
            else:
                unchecked += 1
        except UnavailableError:
            unchecked += 1
    overdue = sum(each.erased_at is None and each.purge_at < now - DELETION_OVERDUE_AFTER for each in deletions)
    return RestartedDeletions(restarted=restarted, overdue=overdue, unchecked=unchecked)


def _is_started_again(executions: Executions, deletion: Deletion, now: datetime) -> bool:
    whose = deletion.organization_id, deletion.generation
    for attempt in count(1):
        found = executions.find(*whose, attempt=attempt)
        if found is None:
            executions.start(*whose, purge_at=deletion.purge_at, attempt=attempt)
            return True
        patience = min(RESTART_FIRST_BACKOFF * 2 ** (attempt - 1), RESTART_MAX_BACKOFF)
        if found.progress is Progress.RUNNING or found.ended_at is None or found.ended_at > now - patience:
            return False
    raise AssertionError
