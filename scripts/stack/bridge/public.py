"""The deployed API under a plain URL, ``http://host:port/v1/...``, as on a custom domain.

MiniStack finds an API by its id, in the host name or in the path, and both change with a deployment. On the public port
every request goes to the REST API of one stack, with its own Host header, which may name a tenant.
Delete this module once MiniStack maps a base path of a custom domain on any host name to an API.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway_v1 as gateway

type Scope = dict[str, Any]
type App = Callable[[Scope, Any, Any], Awaitable[None]]

STACK_TAG = "aws:cloudformation:stack-name"
ASSUMED_HEADERS = ((b"content-type", b"application/json"), (b"accept", b"*/*"))


def public_api(app: App, *, port: int, stack_name: str) -> App:
    """Return *app* with requests on *port* going to the REST API of stack *stack_name*."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["server"][1] == port:
            scope = _addressed(scope, _find_api_id(stack_name) or "not-deployed")
        await app(scope, receive, send)

    return serve


def _addressed(scope: Scope, api_id: str) -> Scope:
    """Return the scope with the API's id in its path, and path and headers as in API Gateway.

    A REST API never decodes a path: it matches resources with the path as it was sent, and fills ``path`` and
    ``pathParameters`` from it. So ``..%2f`` is one segment. MiniStack works on the decoded path.

    API Gateway takes ``sourceIp`` from the connection. MiniStack takes it from the first X-Forwarded-For, which callers
    can forge. API Gateway assumes JSON for a body without Content-Type, and that the client accepts any answer. Without
    Accept, MiniStack garbles binary answers.
    """
    stage, _, rest = scope["raw_path"].decode("ascii").lstrip("/").partition("/")
    path = f"/restapis/{api_id}/{stage}/_user_request_/{rest}"
    headers = [(name.lower(), value) for name, value in scope["headers"] if name.lower() != b"x-forwarded-for"]
    names = {name for name, _ in headers}
    headers += [(name, value) for name, value in ASSUMED_HEADERS if name not in names]
    headers.append((b"x-forwarded-for", scope["client"][0].encode()))
    return {**scope, "path": path, "raw_path": path.encode("ascii"), "headers": headers}


def _find_api_id(stack_name: str) -> str | None:
    """Return the newest API of the stack, because a killed deployment may leave an older one."""
    ours = [api for _scope, api in gateway._rest_apis.all_items() if api.get("tags", {}).get(STACK_TAG) == stack_name]
    return max(ours, key=lambda api: api["createdDate"])["id"] if ours else None
