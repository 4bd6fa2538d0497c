"""API Gateway in this process: a request goes through the real authorizer to the real function."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tenancy.rules.organization import Status
from tests.handlers.functions import Function, Start
from tests.isolation.proof.discovery.deployment import PARAMETER, Route, discover_routes, variables_of

AUTHORIZER = "authorizer"
REQUEST_ID = "c6af9ac6-7b61-4d3a-9f0c-1d2e3f4a5b00"
METHOD_ARN = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1"
SOURCE_ADDRESS = "203.0.113.10"
FAULT = 503  # what the template makes of an authorizer that fails

type Pairs = tuple[tuple[str, str], ...]
DELETION = "DELETE /organizations/{organization_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a client; headers and query may name something twice."""

    route: Route
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Pairs = ()
    query: Pairs = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the client gets, header names in lower case; *metered_by* is the gateway key that the request counts for."""

    status: int
    headers: Mapping[str, str]
    body: str
    metered_by: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return "\n".join([*(f"{name}: {value}" for name, value in sorted(self.headers.items())), self.body])


class Gateway:
    """Serves the routes of the template; every function is loaded once and stays warm."""

    def __init__(
        self,
        start: Start,
        made: Mapping[str, str],
        new_minute: Callable[[], None],
        restore: Callable[[], None],
        revive: Callable[[str], None],
    ) -> None:
        """*made* are the resources that the template's variables refer to.

        *new_minute* empties all rate buckets, *restore* brings back what calls have used up, *revive* gives
        organizations a status.
        """
        self._new_minute = new_minute
        self.restore = restore
        self.revive = revive
        self.routes = discover_routes()
        self.functions: dict[str, Function] = {
            name: start(name, **variables_of(name, made))
            for name in sorted({AUTHORIZER, *(route.function for route in self.routes)})
        }

    def __call__(self, request: Request) -> Answer:
        """Answer as API Gateway does, each request in a minute of its own."""
        self._new_minute()
        event = _event(request)
        metered_by = ""
        if request.route.is_guarded:
            if "authorization" not in {name.lower() for name, _ in request.headers}:
                return _refusal(401)
            try:
                policy = self.functions[AUTHORIZER]({**event, "type": "REQUEST", "methodArn": f"{METHOD_ARN}/GET/x"})
            except Exception as error:  # noqa: BLE001 - API Gateway goes by the message alone
                return _refusal(401 if str(error) == "Unauthorized" else FAULT)
            context = {name: str(value) for name, value in policy["context"].items()}
            event["requestContext"]["authorizer"] = {**context, "principalId": policy["principalId"]}
            metered_by = policy["usageIdentifierKey"]
        answer = _answer(self.functions[request.route.function](event), metered_by)
        if answer.is_success and request.route.name == DELETION:  # an attacker who is gone tries nothing more
            self.revive(Status.ACTIVE)
        return answer


def path_of(request: Request) -> str:
    """Return the path as the client sends it, without the stage."""
    return PARAMETER.sub(
        lambda found: quote(request.parameters[found[1]], safe="", errors="surrogatepass"), request.route.path
    )


def _event(request: Request) -> dict[str, Any]:
    headers, query = _many(request.headers), _many(request.query)
    path = path_of(request)
    return {
        "resource": request.route.path,
        "path": path,
        "httpMethod": request.route.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(request.parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": REQUEST_ID,
            "path": f"/v1{path}",
            "resourcePath": request.route.path,
            "httpMethod": request.route.method,
            "stage": "v1",
            "identity": {"sourceIp": SOURCE_ADDRESS},
        },
        "body": base64.b64encode(request.body).decode() if request.body else None,
        "isBase64Encoded": bool(request.body),
    }


def _many(pairs: Pairs) -> dict[str, list[str]]:
    """Group *pairs* by name; names that differ in case are one header, spelt as the first."""
    spelling: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return values


def _answer(response: Mapping[str, Any], metered_by: str) -> Answer:
    headers = {name.lower(): value for name, value in (response.get("headers") or {}).items()}
    headers |= {name.lower(): values[-1] for name, values in (response.get("multiValueHeaders") or {}).items()}
    body = response.get("body") or ""
    if response.get("isBase64Encoded"):
        body = base64.b64decode(body).decode(errors="replace")
    return Answer(status=int(response["statusCode"]), headers=headers, body=body, metered_by=metered_by)


def _refusal(status: int) -> Answer:
    """Return the gateway's own answer; the template's GatewayResponses name nothing of the request."""
    return Answer(status=status, headers={}, body=json.dumps({"status": status, "request_id": REQUEST_ID}))
