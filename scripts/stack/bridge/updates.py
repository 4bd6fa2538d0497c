"""Updates of a stack that disturb no request, as on AWS.

MiniStack 1.5.33 differs from AWS in these points, each mended here. Delete a part once MiniStack has it.

- An update of a function ends its workers, also those that serve a request. Lambda lets them finish.
- A request that started just before an update may start a worker with the old code and the new layers.
- A changed OpenAPI body makes another API, which has no stage and no usage plan at first. API Gateway keeps the API.
- No request is served while it transforms a template, waits for ended workers, or counts the bytes of a layer. Then
  calls of functions to SQS time out.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.concurrency import run_reentrant
from ministack.services import apigateway_v1 as gateway
from ministack.services import cloudformation, lambda_svc
from ministack.services.cloudformation import provisioners

LATEST = "$LATEST"
SLOW_ACTION = b"Action=CreateChangeSet"
ARCHIVES_KEPT = 16
PARTS_OF_BODY = (gateway._resources, gateway._authorizers_v1, gateway._models, gateway._gateway_responses)

_retired: set[Any] = set()  # workers that serve their last request


def install() -> None:
    """Replace the end and the choice of workers, the update of a REST API, and slow work of the server's own thread."""
    release = _ending_retired(lambda_runtime.release_worker)
    acquire = _with_current_code(lambda_runtime.acquire_worker)
    for module in (lambda_runtime, lambda_svc):
        module.invalidate_worker = _invalidate_worker
        module.release_worker = release
        module.acquire_worker = acquire
    update = _keeping_api(provisioners._apigw_rest_api_update)
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = update
    lambda_svc._unzipped_size = lru_cache(ARCHIVES_KEPT)(lambda_svc._unzipped_size)
    cloudformation.handle_request = _beside_requests(cloudformation.handle_request)


def _invalidate_worker(
    name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
) -> None:
    """End the idle workers of a function, and each busy one after its request."""
    wanted = (account, region, name, qualifier)
    idle = []
    with lambda_runtime._lock:
        for key, workers in lambda_runtime._workers.items():
            if all(part in {None, found} for part, found in zip(wanted, key.split(":"), strict=True)):
                _retired.update(worker for worker in workers if worker.in_use)
                idle += [worker for worker in workers if not worker.in_use]
                workers.clear()
    _end(idle)


def _end(workers: Sequence[Any]) -> None:
    """End workers in a thread of their own, because that takes up to two seconds."""
    if workers:
        threading.Thread(target=lambda_runtime.kill_workers, args=(workers,), name="bridge-updates").start()


def _ending_retired(release: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return *release* with an end for a worker whose function was updated meanwhile."""

    def release_or_end(worker: Any) -> None:
        release(worker)
        with lambda_runtime._lock:
            is_retired = worker in _retired
            _retired.discard(worker)
        if is_retired:
            _end([worker])

    return release_or_end


def _with_current_code(acquire: Callable[..., Any]) -> Callable[..., Any]:
    """Return *acquire* with the code and the configuration of this moment, instead of the request's start."""

    def acquire_current(
        name: str, config: dict[str, Any], code: bytes, qualifier: str = LATEST, max_concurrency: int | None = None
    ) -> Any:
        account, region = lambda_runtime._account_region_from_function_config(config)
        known = lambda_svc._functions.get_scoped(account, region, name)
        if known is not None and qualifier == LATEST:
            config, code = dict(known["config"]), known["code_zip"]
        return acquire(name, config, code, qualifier, max_concurrency)

    return acquire_current


def _keeping_api(update: Callable[..., Any]) -> Callable[..., Any]:
    """Return *update* with a changed body put into the same API."""

    def update_in_place(
        api_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> Any:
        if new.get("Body") == old.get("Body"):
            return update(api_id, old, new, stack_name, logical_id)
        made, _attributes = provisioners._apigw_rest_api_create(logical_id or api_id, new, stack_name)
        for part in PARTS_OF_BODY:
            part[api_id] = part[made]
        same = {name: gateway._rest_apis[api_id][name] for name in ("id", "createdDate")}
        gateway._rest_apis[api_id] = {**gateway._rest_apis[made], **same}
        gateway._delete_rest_api(made)
        return api_id, provisioners._apigw_rest_api_attrs(api_id)

    return update_in_place


def _beside_requests(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Return *handle* with the transformation of a template in a thread of its own."""

    async def handle_beside(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if SLOW_ACTION not in body:
            return await handle(method, path, headers, body, query)
        return await run_reentrant(lambda: asyncio.run(handle(method, path, headers, body, query)))

    return handle_beside
