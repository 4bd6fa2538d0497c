"""Run every minute: write exports and erase data subjects."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.errors import UnavailableError
from tenancy.rules.durations import (
    PRIVACY_JOB_RETRY_AFTER,
    PRIVACY_JOBS_WORK_TIME_SECONDS,
    SCHEDULED_QUERY_TIMEOUT_SECONDS,
)
from tenancy.settings import Settings
from tenancy.use_cases.schedule.each_database import OneDatabase, as_other_role, run_in_each
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobStores, run_privacy_jobs
from tenancy.wiring import Wiring

logger = Logger()
settings = Settings.from_env("DEAD_LETTERS_BUCKET", "ERASURE_QUIET_SECONDS", "EXPORTS_BUCKET", "REGISTER_BUCKET")
wiring = Wiring(settings)
platform_db, db = wiring.platform_database, wiring.database
stores_of = partial(
    PrivacyJobStores,
    writer=wiring.clickhouse_writer(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS),
    reader=wiring.clickhouse_reader(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS),
    exports=wiring.exports,
    dead_letters=wiring.dead_letter_objects,
    register=wiring.register,
    writer_wait=settings.writer_wait,
)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Run the jobs that are due in each database. The schedule's event is not read.

    Raises:
        UnavailableError: a store is unreachable. The jobs that need it are due again in a minute.
    """
    return dict(run_in_each(platform_db.every(), run_jobs))


def run_jobs(database: OneDatabase) -> dict[str, Any]:
    """Run the jobs of one database that are due, in its share of the time.

    Raises:
        UnknownDatabaseError: the secret of the functions' role has no line for the database. No job was claimed.
        UnavailableError: a store is unreachable. The jobs that need it are due again in a minute.
    """
    ends_at = time.monotonic() + PRIVACY_JOBS_WORK_TIME_SECONDS / len(platform_db.every())
    own = stores_of(platform_db=database, homes=platform_db, db=as_other_role(database, platform_db, db))
    run = run_privacy_jobs(own, has_time=lambda: time.monotonic() < ends_at, clock=lambda: datetime.now(UTC))
    result = {name: value for name, value in asdict(run).items() if name != "causes"}
    if any(result.values()):
        logger.info("privacy jobs finished", result=result)
    if run.postponed:
        raise UnavailableError(
            f"A store is unreachable. {run.postponed} privacy jobs are postponed.",
            retry_after=int(PRIVACY_JOB_RETRY_AFTER.total_seconds()),
        ) from next(iter(run.causes), None)
    return result
