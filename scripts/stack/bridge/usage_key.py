"""The authorizer's ``usageIdentifierKey`` as the request's API key.

With ``ApiKeySourceType: AUTHORIZER`` API Gateway takes the key of the usage plan from the authorizer's answer.
MiniStack always reads the ``x-api-key`` header, and drops ``usageIdentifierKey``. Here the key travels beside the
authorizer's context (which MiniStack caches, so that the key is cached with it). MiniStack's own check of keys, plans
and throttles then runs on it. Delete this module once MiniStack reads ``usageIdentifierKey``.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway_v1 as gateway

_CONTEXT_KEY = "\0usageIdentifierKey"  # no context of an authorizer can hold it: names there are identifiers
_usage_key: ContextVar[str] = ContextVar("usage_key", default="")


def install() -> None:
    """Replace the three functions of MiniStack through which the key passes."""
    authorize = gateway._authorize_request_v1
    check_api_key = gateway._check_api_key
    invoke = gateway._invoke_authorizer_lambda

    async def invoke_authorizer(*args: Any) -> Any:
        result = await invoke(*args)
        policy = (result or {}).get("body")
        if isinstance(policy, dict) and policy.get("usageIdentifierKey"):
            context = {**(policy.get("context") or {}), _CONTEXT_KEY: policy["usageIdentifierKey"]}
            result = {**result, "body": {**policy, "context": context}}
        return result

    async def authorize_request(*args: Any) -> Any:
        error, context = await authorize(*args)
        _usage_key.set((context or {}).get(_CONTEXT_KEY, ""))
        return error, context and {name: value for name, value in context.items() if name != _CONTEXT_KEY}

    def check(method: dict[str, Any], api_id: str, stage_name: str, headers: dict[str, Any]) -> Any:
        if gateway._rest_apis[api_id].get("apiKeySource") == "AUTHORIZER":
            headers = {"x-api-key": _usage_key.get()}
        return check_api_key(method, api_id, stage_name, headers)

    gateway._invoke_authorizer_lambda = invoke_authorizer
    gateway._authorize_request_v1 = authorize_request
    gateway._check_api_key = check
