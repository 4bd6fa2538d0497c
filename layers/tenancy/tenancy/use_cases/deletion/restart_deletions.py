"""Deletions whose execution was lost, or failed and was redriven by nobody: they are started again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from tenancy.errors import UnavailableError
from tenancy.rules.deletion import Deletion
from tenancy.stores.aws.executions import Executions, Progress
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.deletions import list_overdue

LOST_AFTER: Final = timedelta(minutes=10)  # after the grace: an execution that is alive has begun by then
OVERDUE_AFTER: Final = timedelta(hours=1)
FIRST_PATIENCE: Final = timedelta(hours=1)  # with who redrives what failed; twice as long each time
LONGEST_PATIENCE: Final = timedelta(days=1)
COUNTED_AGAIN_WITHIN: Final = timedelta(days=2)  # after the erasure


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """How many deletions were started again, how many should long be done, and of how many nobody knows how far."""

    restarted: int
    overdue: int
    unchecked: int


def restart_deletions(
    platform_db: Database, executions: Executions, *, now: datetime, has_time: Callable[[], bool] = lambda: True
) -> Restarted:
    """Make sure that every deletion whose grace is over, and that was not counted again, has an execution.

    One that Step Functions says nothing of, or that there was no time for, is unchecked: the next minute asks again.
    What is overdue, PostgreSQL alone says.

    Raises:
        UnavailableError: the database is away; the next minute goes on.
    """
    with platform_db.transaction() as conn:
        deletions = list_overdue(conn, purged_before=now - LOST_AFTER, erased_before=now - COUNTED_AGAIN_WITHIN)
    restarted = unchecked = 0
    for deletion in deletions:
        try:
            if has_time():
                restarted += _is_started_again(executions, deletion, now)
            else:
                unchecked += 1
        except UnavailableError:
            unchecked += 1
    overdue = sum(each.erased_at is None and each.purge_at < now - OVERDUE_AFTER for each in deletions)
    return Restarted(restarted=restarted, overdue=overdue, unchecked=unchecked)


def _is_started_again(executions: Executions, deletion: Deletion, now: datetime) -> bool:
    whose = deletion.organization_id, deletion.generation
    for attempt in count(1):
        found = executions.find(*whose, attempt=attempt)
        if found is None:
            executions.start(*whose, purge_at=deletion.purge_at, attempt=attempt)
            return True
        patience = min(FIRST_PATIENCE * 2 ** (attempt - 1), LONGEST_PATIENCE)
        if found.progress is Progress.RUNNING or found.ended_at is None or found.ended_at > now - patience:
            return False
    raise AssertionError
