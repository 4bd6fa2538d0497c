"""Hourly: rows and ledgers -> statistics, usage and counters; held events into room; what nobody keeps is deleted."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import count
from tenancy.settings import Settings
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import CLICKHOUSE, PLATFORM_DATABASE, REDIS, Secrets
from tenancy.stores.aws.signer import Signer
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.audit.prune_audit import prune_audit_logs
from tenancy.use_cases.deletion.restore_tombstones import restore_tombstones
from tenancy.use_cases.held_events.release_held import release_into_room
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.roll_up import RollUp, roll_up

QUERY_TIMEOUT_SECONDS = 800  # the function has 900
REDIS_PATIENCE_SECONDS = 30.0

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=REDIS_PATIENCE_SECONDS)
signer = Signer(AwsClient("kms", settings.region, settings.aws_endpoint_url), settings.signing_key_id)


@cache
def clickhouse() -> Client:
    """Return the client; made at the first run, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE), timeout_seconds=QUERY_TIMEOUT_SECONDS)


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
