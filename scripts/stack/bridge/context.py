"""The request context of API Gateway: one request id for all, the path, and the domain.

MiniStack gives the authorizer no ``requestId``, and the handler another one than the gateway's own refusals. It gives
``domainName`` to neither, and leaves ``$context.path`` unreplaced in the templates of gateway responses. Delete this
module once ``requestContext`` and ``$context`` hold them.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

import json
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway_v1 as gateway

_request_context: ContextVar[dict[str, str]] = ContextVar("request_context")


def install() -> None:
    """Replace the functions that start a request, make an event, and write refusals."""
    execute = gateway._execute_in_scope
    invoke_authorizer = gateway._invoke_authorizer_lambda
    build_event = gateway._build_lambda_event_v1
    respond = gateway._gateway_error_response

    async def execute_in_scope(request: dict[str, Any], *args: Any) -> Any:
        _api_id, stage_name, _method, path, *_rest = args
        request["path"] = f"/{stage_name}{path}"
        host = str(request["headers"].get("host", "")).partition(":")[0]
        known = {"requestId": request["request_id"], "path": request["path"], "domainName": host}
        _request_context.set({**known, "extendedRequestId": request["request_id"]})
        return await execute(request, *args)

    async def invoke_with_context(authorizer: Any, event: dict[str, Any], *args: Any) -> Any:
        return await invoke_authorizer(authorizer, _with_context(event), *args)

    def build_with_context(*args: Any, **options: Any) -> dict[str, Any]:
        return _with_context(build_event(*args, **options))

    def gateway_error_response(error: Any, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = respond(error, request)
        path = json.dumps(request.get("path", ""))[1:-1]
        return status, headers, body.replace(b"$context.path", path.encode())

    gateway._execute_in_scope = execute_in_scope
    gateway._invoke_authorizer_lambda = invoke_with_context
    gateway._build_lambda_event_v1 = build_with_context
    gateway._gateway_error_response = gateway_error_response


def _with_context(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "requestContext": {**event["requestContext"], **_request_context.get()}}
