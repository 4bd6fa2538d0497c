"""Roll up usage and statistics each hour.

Also release held events, apply retention, persist last uses of keys, notice keys that are to be rotated, and check
e-mail domains and custom domains again.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import (
    COUNTER_DRIFT,
    COUNTERS_NOT_SETTLED,
    PLATFORM_KEYS_DUE,
    STATISTICS_DRIFT,
    TOMBSTONES_RESTORED,
    count,
)
from tenancy.rules.durations import (
    DOMAIN_CHECKS_START_SECONDS,
    ROLL_UP_REDIS_TIMEOUT_SECONDS,
    SCHEDULED_QUERY_TIMEOUT_SECONDS,
)
from tenancy.settings import Settings
from tenancy.use_cases.schedule.each_database import OneDatabase, run_in_each
from tenancy.use_cases.schedule.hourly import HourlyStores, run_hourly
from tenancy.use_cases.schedule.notice_rotations import RotationNotices
from tenancy.use_cases.schedule.roll_up import RollUp
from tenancy.wiring import Wiring

logger = Logger()
wiring = Wiring(Settings.from_env("FETCH_FUNCTION", "REGISTER_BUCKET", "SIGNING_KEY_ID"))
platform_db = wiring.platform_database
stores_of = partial(
    HourlyStores,
    client=wiring.clickhouse_writer(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS),
    redis=wiring.redis(timeout_seconds=ROLL_UP_REDIS_TIMEOUT_SECONDS),
    signer=wiring.signer,
    register=wiring.register,
    fetcher=wiring.fetcher,
    find_certificates=lambda: wiring.certificates,
)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Roll up once for each database. The schedule's event is not read.

    Raises:
        ExceptionGroup: steps after the roll-up failed. All steps were tried.
    """
    return dict(run_in_each(platform_db.every(), roll_up_database))


def roll_up_database(database: OneDatabase) -> dict[str, Any]:
    """Roll up for the organizations of one database, in its share of the time."""
    ends_at = time.monotonic() + DOMAIN_CHECKS_START_SECONDS / len(platform_db.every())
    run = run_hourly(
        stores_of(platform_db=database),
        now=datetime.now(UTC),
        on_roll_up=report,
        has_time=lambda: time.monotonic() < ends_at,
    )
    result = {
        "ran": run.roll_up.ran,
        "organizations": run.roll_up.organizations,
        "days": run.roll_up.days,
        "events_released": run.events_released,
        "tombstones_restored": len(run.tombstones_restored),
        "organizations_cleaned": run.organizations_cleaned,
        "audit_entries_pruned": run.audit_entries_pruned,
        "last_uses_persisted": run.last_uses_persisted,
        "rotations_noticed": run.rotations.keys,
        "domains_checked": run.domains.checked,
        "domains_missing": run.domains.missing,
        "domains_withdrawn": run.domains.withdrawn,
        "custom_domains_checked": run.custom_domains.checked,
        "custom_domains_missing": run.custom_domains.missing,
        "custom_domains_withdrawn": run.custom_domains.withdrawn,
    }
    report_platform_keys(run.rotations)
    logger.info("rolled up", result=result)
    for failure in run.failures:
        logger.error("a step failed", exc_info=failure)
    if run.failures:
        raise ExceptionGroup("Steps of the roll-up failed.", run.failures)  # the log has their texts
    return result


def report_platform_keys(rotations: RotationNotices) -> None:
    """Count the platform keys that are to be rotated. The log line of each has its id."""
    for key_id in rotations.platform_keys:
        count(PLATFORM_KEYS_DUE, {"credential_id": str(key_id)})


def report(roll_up: RollUp, tombstones_restored: Sequence[UUID]) -> None:
    """Write one metric per organization for each drift that the roll-up has found."""
    for organization_id in tombstones_restored:
        count(TOMBSTONES_RESTORED, {"organization_id": str(organization_id)})
    for name, drifts in ((COUNTER_DRIFT, roll_up.counter_drifts), (STATISTICS_DRIFT, roll_up.statistics_drifts)):
        for organization_id, events in drifts.items():
            count(name, {"organization_id": str(organization_id)}, abs(events))
    if roll_up.ran and not roll_up.counters_settled:
        count(COUNTERS_NOT_SETTLED)
