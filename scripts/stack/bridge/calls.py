"""The calls of functions, as AWS CloudTrail records them, for a comparison with the permissions of their roles.

MiniStack gives all functions the same credentials. Here the access key of a function is its name. `GET /_stack/calls`
returns the permissions that each function needed since the last `DELETE`.
"""

# ruff: noqa: ANN401 - MiniStack has no types

import json
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, sts

from scripts.stack.bridge.permissions import CALLS_PATH, parse_signed, permissions_of
from scripts.stack.bridge.public import App, Scope


def install() -> None:
    """Give each function an access key of its own."""
    named = _naming_caller(lambda_runtime.execution_credentials)
    lambda_runtime.execution_credentials = named
    lambda_svc.execution_credentials = named


def record_calls(app: App, *, port: int) -> App:
    """Return *app* with a record of the signed requests on *port*."""
    seen: set[tuple[str, str, str]] = set()

    def add(scope: Scope, body: bytes) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        url = f"{scope['raw_path'].decode('latin-1')}?{scope['query_string'].decode('latin-1')}"
        request = parse_signed(scope["method"], url, headers, body)
        if request is not None:
            seen.update((request.caller, action, resource) for action, resource in permissions_of(request))

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["server"][1] != port:
            await app(scope, receive, send)
        elif scope["path"] == CALLS_PATH:
            answer = json.dumps(sorted(seen)).encode()
            if scope["method"] == "DELETE":
                seen.clear()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": answer})
        else:
            body = bytearray()

            async def receive_and_keep() -> Any:
                message = await receive()
                body.extend(message.get("body", b""))
                return message

            await app(scope, receive_and_keep, send)
            add(scope, bytes(body))

    return serve


def _naming_caller(credentials: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def named(config: dict[str, Any]) -> dict[str, str]:
        made, name = credentials(config), str(config["FunctionName"])
        account = made["AWS_ACCESS_KEY_ID"]
        # S3 looks up the key of a presigned link.
        session = {"Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{name}", "UserId": name, "AccountId": account}
        sts.register_session(name, {**session, "SecretAccessKey": made["AWS_SECRET_ACCESS_KEY"]})
        return {**made, "AWS_ACCESS_KEY_ID": name}

    return named
