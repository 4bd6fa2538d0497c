"""Every minute: keep what Redis has counted, finish what committed changes still owe, seal the audit logs."""

import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import STANDING_NOT_PUBLISHED, count
from tenancy.settings import Settings
from tenancy.stores.aws.client import Aws
from tenancy.stores.aws.event_bus import EventBus
from tenancy.stores.aws.executions import Executions
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.mail import Mailer
from tenancy.stores.aws.secrets import PLATFORM_DATABASE, REDIS, Secrets
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.outbox.effects import Kind, World
from tenancy.use_cases.schedule.sweep import Swept, sweep

REDIS_PATIENCE_SECONDS = 10.0
TIME_SECONDS = 30  # of 60, after which no effect is begun: one may take 28

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(Aws("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
redis = Redis(lambda: secrets.get_secret(REDIS), patience_seconds=REDIS_PATIENCE_SECONDS)
world = World(
    redis=redis,
    gateway_keys=GatewayKeys(settings.region, settings.usage_plans_path),
    mailer=Mailer(settings.region, settings.mail_from),
    event_bus=EventBus(settings.region),
    executions=Executions(settings.region, settings.state_machine_arn),
    exports=Exports(settings.region, settings.exports_bucket, path_style=settings.aws_endpoint_url is not None),
)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Sweep once; what the schedule sends does not matter. A step that failed fails the run, after the others."""
    began_at = time.monotonic()
    swept = sweep(
        platform_db,
        redis,
        world,
        now=datetime.now(UTC),
        has_time=lambda share: time.monotonic() < began_at + share * TIME_SECONDS,
    )
    if swept is None:
        logger.info("another sweep runs")
        return {"ran": False}
    for organization_id, head in swept.sealed.items():  # a witness outside the database
        logger.info("sealed", organization_id=str(organization_id), sequence=head.sequence, seal=head.seal.hex())
    measure(swept)
    result = {
        "ran": True,
        "requests_kept": swept.requests_kept,
        "announced": swept.announced,
        "done": list(swept.drained.done),
        "failed": list(swept.drained.failed),
        "sealed": len(swept.sealed),
        "deletions_restarted": swept.deletions.restarted if swept.deletions else 0,
    }
    logger.info("swept", result=result)
    for failure in swept.failures:
        logger.error("a step failed", exc_info=failure)
    if swept.failures:
        raise ExceptionGroup("Steps of the sweep failed.", swept.failures)
    return result


def measure(swept: Swept) -> None:
    """Count what alarms watch."""
    if not_published := swept.drained.failed.count(Kind.STANDING):
        count(STANDING_NOT_PUBLISHED, amount=not_published)
    if swept.requests_kept is None:
        count("RequestsNotKept")
    if swept.deletions is not None and swept.deletions.overdue:
        count("DeletionsOverdue", amount=swept.deletions.overdue)
    if swept.deletions is not None and swept.deletions.unchecked:
        count("DeletionsNotChecked", amount=swept.deletions.unchecked)
    if swept.backlog is not None:
        if swept.backlog.parked:
            count("EffectsParked", amount=swept.backlog.parked)
        count("OldestEffectSeconds", amount=int(swept.backlog.oldest.total_seconds()))
