"""The tasks of the state machine that erases an organization.

The state machine is functions/delete/delete_organization.asl.json.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import ROWS_CAME_BACK, count
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
settings = Settings.from_env(
    "BASE_DOMAIN",
    "DEAD_LETTERS_BUCKET",
    "ERASURE_QUIET_SECONDS",
    "EXPORTS_BUCKET",
    "HOSTED_ZONE_ID",
    "RECOUNT_AFTER_SECONDS",
    "REGISTER_BUCKET",
    "SIGNING_KEY_ID",
)
wiring = Wiring(settings)
signer = wiring.signer
erasure_stores = ErasureStores(
    platform_db=wiring.platform_database,
    client=wiring.clickhouse_writer(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS),
    redis=wiring.redis(timeout_seconds=ERASE_REDIS_TIMEOUT_SECONDS),
    gateway_keys=wiring.gateway_key_removal,
    exports=wiring.exports,
    dead_letters=wiring.dead_letter_objects,
    domains=wiring.domain_stores,
    register=wiring.register,
)


def place_tombstones_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Place the tombstones, and return times and the stores to erase.

    At `closed_at` both tombstones exist. Writers that started before the tombstones end by `writers_end_at`. The stores
    are erased in the order of `stores`.
    """
    place_tombstones(erasure_stores, *parse_deletion(event), request_id=event["execution"], now=datetime.now(UTC))
    closed_at = datetime.now(UTC)  # ClickHouse's tombstone may follow PostgreSQL's only after many retries
    return {
        "closed_at": format_time(closed_at),
        "writers_end_at": format_time(closed_at + settings.writer_wait + ONE_SECOND),  # the format has whole seconds
        "stores": list(ERASABLE_STORES),
    }


def await_writers_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Check that no writer is left that started before the tombstones."""
    closed_at, writer_wait = datetime.fromisoformat(event["closed_at"]), settings.writer_wait
    await_writers(
        erasure_stores, *parse_deletion(event), closed_at=closed_at, writer_wait=writer_wait, now=datetime.now(UTC)
    )
    return {}


def erase_store_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Erase the organization from one store."""
    erase_store(erasure_stores, *parse_deletion(event), event["store"], now=datetime.now(UTC))
    return {}


def certify_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Count the remaining rows and sign the certificate."""
    request_id, now = event["execution"], datetime.now(UTC)
    counted = certify(erasure_stores, signer, *parse_deletion(event), request_id=request_id, now=now)
    return {**report(counted), "count_again_at": format_time(now + settings.recount_after)}


def count_again_task(event: Mapping[str, Any]) -> dict[str, Any]:
    """Count the remaining rows a second time and sign that, too."""
    return report(count_again(erasure_stores, signer, *parse_deletion(event), now=datetime.now(UTC)))


# These names must stay: executions of an older definition may wait for the end of their grace period.
TASKS: dict[str, Task] = {
    "close_gate": place_tombstones_task,
    "await_writers": await_writers_task,
    "erase_store": erase_store_task,
    "certify": certify_task,
    "count_again": count_again_task,
}


def handler(event: dict[str, Any], _context: object) -> Any:  # noqa: ANN401 - a task's
    """Run one task of one deletion."""
    try:
        result = serve_tasks(TASKS, event, (EarlyError, OvertakenError, RowsLeftError, WritersActiveError))
    except WritersActiveError as error:
        logger.warning("the erasure waits", organization_id=event["organization_id"], reason=str(error) or "writers")
        raise
    logger.info("task done", task=event["task"], organization_id=event["organization_id"], store=event.get("store"))
    return result


def report(counted: ErasureCount) -> dict[str, Any]:
    """Return the counts as the task's result.

    Rows that were found after their erasure mean that a writer ignores the tombstones. They are counted in a metric.
    """
    if counted.found:
        count(ROWS_CAME_BACK)
        logger.warning("rows found after their erasure", found=dict(counted.found))
    return {"counts": counted.left, "found": counted.found}


def parse_deletion(event: Mapping[str, Any]) -> tuple[UUID, int]:
    """Return the organization and the generation of the deletion that a task belongs to."""
    return UUID(event["organization_id"]), int(event["generation"])
