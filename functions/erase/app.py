"""The tasks of the state machine that erases an organization (functions/delete/delete_organization.asl.json)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import count
from tenancy.gateway.task import Task, serve_tasks
from tenancy.gateway.times import format_time
from tenancy.rules.deletion import ErasureCount
from tenancy.rules.durations import ERASE_REDIS_TIMEOUT_SECONDS, SCHEDULED_QUERY_TIMEOUT_SECONDS
from tenancy.settings import Settings
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
from tenancy.wiring import Wiring

ONE_SECOND = timedelta(seconds=1)

logger = Logger()
settings = Settings.from_env("ERASURE_QUIET_SECONDS", "EXPORTS_BUCKET", "RECOUNT_AFTER_SECONDS", "SIGNING_KEY_ID")
wiring = Wiring(settings)
signer = wiring.signer
erasure_stores = ErasureStores(
    platform_db=wiring.platform_database,
    client=wiring.clickhouse_writer(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS),
    redis=wiring.redis(timeout_seconds=ERASE_REDIS_TIMEOUT_SECONDS),
    gateway_keys=wiring.gateway_key_removal,
    exports=wiring.exports,
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
