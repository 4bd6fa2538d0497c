"""The tasks of the state machine that erases an organization (functions/delete/delete_organization.asl.json)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import count
from tenancy.gateway.task import Task, serve_tasks
from tenancy.gateway.times import format_time
from tenancy.rules.deletion import ErasureCount
from tenancy.settings import Settings
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.secrets import CLICKHOUSE, PLATFORM_DATABASE, REDIS, Secrets
from tenancy.stores.aws.signer import Signer
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.erase import (
    EarlyError,
    OvertakenError,
    RowsLeftError,
    WritersActiveError,
    await_writers,
    certify,
    count_again,
    erase_store,
    place_tombstones,
)
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES, ErasureStores

QUERY_TIMEOUT_SECONDS = 800  # the function has 900
REDIS_PATIENCE_SECONDS = 10.0
ONE_SECOND = timedelta(seconds=1)

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=REDIS_PATIENCE_SECONDS)
gateway_keys = GatewayKeys(settings.region)
exports = Exports(settings.region, settings.exports_bucket, path_style=settings.aws_endpoint_url is not None)
signer = Signer(AwsClient("kms", settings.region, settings.aws_endpoint_url), settings.signing_key_id)


@cache
def clickhouse() -> Client:
    """Return the client; made at the first task, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE), timeout_seconds=QUERY_TIMEOUT_SECONDS)


erasure_stores = ErasureStores(
    platform_db=platform_db, client=clickhouse, redis=redis, gateway_keys=gateway_keys, exports=exports
)


def close(event: Mapping[str, Any]) -> dict[str, Any]:
    """Close the gate; say since when it is closed, until when writers are waited for, and what is erased in turn."""
    place_tombstones(erasure_stores, *deletion_of(event), request_id=event["execution"], now=datetime.now(UTC))
    closed_at = datetime.now(UTC)  # ClickHouse's tombstone comes after PostgreSQL's mark, perhaps by many tries
    return {
        "closed_at": format_time(closed_at),
        "writers_end_at": format_time(closed_at + settings.writer_wait + ONE_SECOND),  # they know whole seconds
        "stores": list(ERASABLE_STORES),
    }


def wait(event: Mapping[str, Any]) -> dict[str, Any]:
    """Make sure that nobody writes any more who began before."""
    closed_at, writer_wait = datetime.fromisoformat(event["closed_at"]), settings.writer_wait
    await_writers(
        erasure_stores, *deletion_of(event), closed_at=closed_at, writer_wait=writer_wait, now=datetime.now(UTC)
    )
    return {}


def erase(event: Mapping[str, Any]) -> dict[str, Any]:
    """Erase one store."""
    erase_store(erasure_stores, *deletion_of(event), event["store"], now=datetime.now(UTC))
    return {}


def prove(event: Mapping[str, Any]) -> dict[str, Any]:
    """Count, and certify."""
    request_id, now = event["execution"], datetime.now(UTC)
    counted = certify(erasure_stores, signer, *deletion_of(event), request_id=request_id, now=now)
    return {**report(counted), "count_again_at": format_time(now + settings.recount_after)}


def prove_again(event: Mapping[str, Any]) -> dict[str, Any]:
    """Count once more."""
    return report(count_again(erasure_stores, signer, *deletion_of(event), now=datetime.now(UTC)))


TASKS: dict[str, Task] = {
    "close_gate": close,
    "await_writers": wait,
    "erase_store": erase,
    "certify": prove,
    "count_again": prove_again,
}


def handler(event: dict[str, Any], _context: object) -> Any:  # noqa: ANN401 - a task's
    """Do one task of one deletion."""
    result = serve_tasks(TASKS, event, (EarlyError, OvertakenError, RowsLeftError, WritersActiveError))
    logger.info("task done", task=event["task"], organization_id=event["organization_id"], store=event.get("store"))
    return result


def report(counted: ErasureCount) -> dict[str, Any]:
    """Return what was counted; had something come back, somebody writes past the gate."""
    if counted.found:
        count("RowsCameBack")
        logger.warning("rows came back", found=dict(counted.found))
    return {"counts": counted.left, "found": counted.found}


def deletion_of(event: Mapping[str, Any]) -> tuple[UUID, int]:
    """Return whose deletion, and which of them, a task is about."""
    return UUID(event["organization_id"]), int(event["generation"])
