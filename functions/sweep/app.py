"""Run the sweep every minute."""

import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import (
    AUTHORIZER_FAULT,
    CREDENTIAL_REFUSED,
    DELETIONS_NOT_CHECKED,
    DELETIONS_OVERDUE,
    EFFECTS_PARKED,
    OLDEST_EFFECT_SECONDS,
    REQUESTS_NOT_PERSISTED,
    STANDING_NOT_PUBLISHED,
    count,
)
from tenancy.rules.durations import SWEEP_REDIS_TIMEOUT_SECONDS, SWEEP_WORK_TIME_SECONDS
from tenancy.settings import Settings
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets
from tenancy.use_cases.schedule.each_database import OneDatabase, run_in_each
from tenancy.use_cases.schedule.sweep import SweepRun, sweep
from tenancy.wiring import Wiring

logger = Logger()
settings = Settings.from_env(
    "API_HOST",
    "DOMAINS_MACHINE_ARN",
    "EXPORTS_BUCKET",
    "MAIL_FROM",
    "REGISTER_BUCKET",
    "STATE_MACHINE_ARN",
    "UPGRADE_URL",
    "USAGE_PLANS_PATH",
)
wiring = Wiring(settings)
platform_db = wiring.platform_database
redis = wiring.redis(timeout_seconds=SWEEP_REDIS_TIMEOUT_SECONDS)
targets = OutboxTargets(
    redis=redis,
    register=wiring.register,
    gateway_keys=wiring.gateway_keys,
    mailer=wiring.mailer,
    event_bus=wiring.event_bus,
    executions=wiring.executions,
    domain_executions=wiring.domain_executions,
    export_links=wiring.export_links,
    upgrade_url=settings.upgrade_url,
    api_url=wiring.api_url,
)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Sweep each database once. The schedule's event is not read.

    Raises:
        ExceptionGroup: steps failed. All steps were tried.
    """
    return dict(run_in_each(platform_db.every(), sweep_database))


def sweep_database(database: OneDatabase) -> dict[str, Any]:
    """Sweep one database in its share of the time."""
    started_at = time.monotonic()
    work_seconds = SWEEP_WORK_TIME_SECONDS / len(platform_db.every())
    run = sweep(
        database,
        redis,
        targets,
        now=datetime.now(UTC),
        has_time=lambda share: time.monotonic() < started_at + share * work_seconds,
    )
    if run is None:
        logger.info("another sweep is running")
        return {"ran": False}
    for organization_id, head in run.sealed.items():  # the log is a copy of the seals outside the database
        logger.info("sealed", organization_id=str(organization_id), sequence=head.sequence, seal=head.seal.hex())
    report(run)
    result = result_of(run)
    logger.info("swept", result=result)
    for failure in run.failures:
        logger.error("a step failed", exc_info=failure)
    if run.failures:
        raise ExceptionGroup("Steps of the sweep failed.", run.failures)
    return result


def result_of(run: SweepRun) -> dict[str, Any]:
    """Return the result of *run* for the caller and the log."""
    return {
        "ran": True,
        "request_counts_persisted": run.requests_persisted,
        "quota_notices_enqueued": run.quota_notices_enqueued,
        "done": list(run.outbox.done),
        "failed": list(run.outbox.failed),
        "sealed": len(run.sealed),
        "domains_started": run.domains_started,
        "deletions_restarted": run.deletions.restarted if run.deletions else 0,
    }


def report(run: SweepRun) -> None:
    """Count the metrics that alarms watch.

    An alarm subtracts refusals and faults of the authorizer from its errors. The difference with a metric that has no
    number is missing. So each run counts 0 of both.
    """
    count(AUTHORIZER_FAULT, amount=0)
    count(CREDENTIAL_REFUSED, amount=0)
    if not_published := run.outbox.failed.count(OutboxKind.STANDING):
        count(STANDING_NOT_PUBLISHED, amount=not_published)
    if run.requests_persisted is None:
        count(REQUESTS_NOT_PERSISTED)
    if run.deletions is not None and run.deletions.overdue:
        count(DELETIONS_OVERDUE, amount=run.deletions.overdue)
    if run.deletions is not None and run.deletions.unchecked:
        count(DELETIONS_NOT_CHECKED, amount=run.deletions.unchecked)
    if run.backlog is not None:
        if run.backlog.parked:
            count(EFFECTS_PARKED, amount=run.backlog.parked)
        count(OLDEST_EFFECT_SECONDS, amount=int(run.backlog.oldest.total_seconds()))
