"""Hourly: rows and ledgers -> statistics, usage and counters; held events into room; what nobody keeps is deleted."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import count
from tenancy.rules.durations import ROLL_UP_REDIS_TIMEOUT_SECONDS, SCHEDULED_QUERY_TIMEOUT_SECONDS
from tenancy.settings import Settings
from tenancy.use_cases.audit.prune_audit import prune_audit_logs
from tenancy.use_cases.deletion.restore_tombstones import restore_tombstones
from tenancy.use_cases.held_events.release_held import release_into_room
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.roll_up import RollUp, roll_up
from tenancy.wiring import Wiring

logger = Logger()
wiring = Wiring(Settings.from_env("SIGNING_KEY_ID"))
platform_db, signer = wiring.platform_database, wiring.signer
redis = wiring.redis(timeout_seconds=ROLL_UP_REDIS_TIMEOUT_SECONDS)
clickhouse = wiring.clickhouse_writer(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Roll up once; what the schedule sends does not matter. What follows is done whatever becomes of the rest."""
    now = datetime.now(UTC)
    closed = restore_tombstones(platform_db, clickhouse())
    done = roll_up(platform_db, clickhouse(), redis, now=now)
    report(done, closed)
    result: dict[str, Any] = {
        "ran": done.ran,
        "organizations": done.organizations,
        "days": done.days,
        "events_released": 0,
        "gates_closed_again": len(closed),
        "organizations_cleaned": None,
    }
    with ExitStack() as steps:
        steps.callback(lambda: result.update(audit_entries_cut=prune_audit_logs(platform_db, signer, now=now)))
        if done.ran:
            steps.callback(
                lambda: result.update(organizations_cleaned=apply_retention(platform_db, clickhouse(), now=now))
            )
            steps.callback(lambda: result.update(events_released=release(done, now)))
    logger.info("rolled up", result=result)
    return result


def release(done: RollUp, now: datetime) -> int:
    """Release held events into the room that the roll-up has found."""
    return release_into_room(platform_db, clickhouse(), redis, done.held, done.usage, now=now)


def report(done: RollUp, closed: Sequence[UUID]) -> None:
    """Count what did not agree, organization by organization."""
    for organization_id in closed:
        count("GatesClosedAgain", {"organization_id": str(organization_id)})
    for name, drifts in (("CounterDrift", done.counter_drifts), ("StatisticsDrift", done.statistics_drifts)):
        for organization_id, events in drifts.items():
            count(name, {"organization_id": str(organization_id)}, abs(events))
    if done.ran and not done.counters_settled:
        count("CountersNotSettled")
