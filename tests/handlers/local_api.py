"""The API as a WSGI application, which calls functions as API Gateway does."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import tenant_of
from tests.handlers.documented import PARAMETER, find_path, operations, pattern_of
from tests.handlers.functions import Function, Start
from tests.handlers.requests import OPERATOR, Event, called_by, with_basic_auth
from tests.isolation.proof.discovery.deployment import discover_routes

NO_ROUTE = '{"code": "not_found"}'
# Headers of these names change the caller or its organization. The tests of identification send them.
IDENTIFYING = {"authorization", "host", "x-forwarded-host", "x-organization-id"}

type StartResponse = Callable[[str, list[tuple[str, str]]], object]


class StartedFunctions(dict[str, Function]):
    """The functions by their names. Each starts at its first use."""

    def __init__(self, start: Start) -> None:
        super().__init__()
        self._start = start

    def __missing__(self, name: str) -> Function:
        self[name] = self._start(name)
        return self[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalApi:
    """A WSGI application.

    Requests are authorized as the document says: those of operators by a platform key, others by a key of *acme*.
    *statuses* are those of all answers.
    """

    functions: Mapping[str, Function]
    acme: Provisioned
    statuses: set[int] = field(default_factory=set)

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        route = find_path(method, path)
        if route is None:
            start_response("404 Not Found", [("Content-Type", "application/problem+json")])
            return [NO_ROUTE.encode()]
        answer = self.call(_event(environ, method, path, route))
        headers = dict(_headers_of(answer))
        start_response(f"{answer['statusCode']} Status", list(headers.items()))
        return [(answer["body"] or "").encode()]

    def call(self, event: Event) -> dict[str, Any]:
        """Send *event* as the caller that its operation is for."""
        [name] = {
            each.function
            for each in discover_routes()
            if (each.method, each.path) == (event["httpMethod"], event["resource"])
        }
        answer = self.functions[name](self._authorized(event))
        self.statuses.add(answer["statusCode"])
        return answer

    def _authorized(self, event: Event) -> Event:
        schemes = {name for each in operations()[event["httpMethod"], event["resource"]]["security"] for name in each}
        if "platformKey" in schemes:
            return called_by(event, OPERATOR)
        if "secretKey" in schemes:
            return called_by(event, tenant_of(self.acme))
        return with_basic_auth(event, self.acme.write_key) if schemes else event


def _event(environ: Mapping[str, Any], method: str, path: str, route: str) -> Event:
    """Return the request of *route* as API Gateway hands it to the function."""
    headers = {name: value for name, value in _sent_headers(environ) if name not in IDENTIFYING}
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    found = pattern_of(route).fullmatch(path.removeprefix("/v1").rstrip("/"))
    names = [each.strip("{}") for each in PARAMETER.findall(route)]
    body = environ["wsgi.input"].read()
    return {
        "resource": route,
        "path": path.removeprefix("/v1"),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(zip(names, found.groups() if found else (), strict=True)) or None,
        "requestContext": {"requestId": "r-1", "path": path, "identity": {"sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def _sent_headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if environ.get("CONTENT_TYPE"):
        yield "content-type", environ["CONTENT_TYPE"]
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name.removeprefix("HTTP_").replace("_", "-").lower(), value


def _headers_of(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (answer.get("headers") or {}).items()
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        yield name, values[-1]
