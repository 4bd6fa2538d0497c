"""Start the executions that work on custom domains, also those that were lost or have failed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from tenancy.errors import UnavailableError
from tenancy.rules.custom_domains import CustomDomain
from tenancy.rules.domain_life import start_work
from tenancy.stores.aws.domain_executions import DomainExecutions
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.custom_domains import lock_custom_domain, update_custom_domain
from tenancy.stores.postgres.platform.listed_custom_domains import ListedDomain, list_due_work
from tenancy.use_cases.schedule.failures import collect_failures, skip_moved

MAX_STARTED: Final = 100  # in one run. The next run continues.


@dataclass(slots=True, kw_only=True)
class DomainStarts:
    """The number of started executions. The caller must raise the *failures*."""

    started: int = 0
    failures: list[Exception] = field(default_factory=list)


def start_domain_work(
    platform_db: Database, executions: DomainExecutions, *, now: datetime, has_time: Callable[[], bool] = lambda: True
) -> DomainStarts:
    """Start an execution for each domain whose work is due, while there is time.

    The new attempt is stored first: from then on an execution of the attempt before changes nothing. If the process
    dies before the start, the work is due again after `DOMAIN_EXECUTION_LOST_AFTER`.

    Raises:
        UnavailableError: the database is unreachable. The next run continues.
    """
    starts = DomainStarts()
    with platform_db.transaction() as conn:
        due = list_due_work(conn, now=now, limit=MAX_STARTED)
    for each in due:
        if not has_time() or any(isinstance(failure, UnavailableError) for failure in starts.failures):
            break  # each further domain would wait for the database or Step Functions as well
        with collect_failures(starts.failures), skip_moved():
            starts.started += _start(platform_db, executions, each, now)
    return starts


def _start(platform_db: Database, executions: DomainExecutions, due: ListedDomain, now: datetime) -> bool:
    claim = _change_due(platform_db, due, now)
    if claim is None:
        return False
    try:
        executions.start(due.organization_id, claim.id, attempt=claim.attempt)
    except UnavailableError:
        _make_due_again(platform_db, due, claim, now)
        raise
    return True


def _change_due(platform_db: Database, due: ListedDomain, now: datetime) -> CustomDomain | None:
    with platform_db.tenant_transaction(due.organization_id) as conn:
        claim = lock_custom_domain(conn, due.organization_id, due.domain)
        if claim is None or claim.work_at is None or claim.work_at > now:
            return None
        started = start_work(claim, now=now)
        update_custom_domain(conn, due.organization_id, started)
    return started


def _make_due_again(platform_db: Database, due: ListedDomain, started: CustomDomain, now: datetime) -> None:
    with platform_db.tenant_transaction(due.organization_id) as conn:
        if lock_custom_domain(conn, due.organization_id, due.domain) == started:
            update_custom_domain(conn, due.organization_id, replace(started, work_at=now))
