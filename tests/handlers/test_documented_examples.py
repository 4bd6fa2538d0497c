"""Each documented example, on prepared data, gets its documented 2xx or 3xx.

The stores are prepared as for the largest answer of the route, for globex, because an example provisions acme. The
document gives query, headers and body.
"""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.clock import StoppedClock
from tests.handlers.documented import operations
from tests.handlers.functions import Start
from tests.handlers.largest_answers import CASES, Largest
from tests.handlers.local_api import StartedFunctions
from tests.handlers.requests import Event, with_body, with_headers, with_path, with_query
from tests.handlers.single_sign_on.provider import Provider
from tests.isolation.proof.discovery.deployment import discover_routes

ROUTES = {(route.method, route.path): route for route in discover_routes() if route.method != "OPTIONS"}
# The examples have fixed times of this day. The clock stands still on it, so that their retention does not end.
MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
WITHOUT_EXAMPLE = ""
# Members that name prepared data: credentials of public routes, and the provider of a connection.
PREPARED = {
    "code", "email", "issuer", "organization", "password", "redirect_uri", "refresh_token", "state", "token",
}  # fmt: skip
FORM = "application/x-www-form-urlencoded"
# The code of a provider is exchanged with that provider (tests/handlers/single_sign_on).
NEEDS_A_PROVIDER = {("GET", "/auth/sso/callback", "", "callback")}
SAMPLED_KEY = re.compile(r"\bwk_\w+")


def example_names(operation: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the media type and the name of each example.

    A route without body and parameters has one example, without a name.
    """
    content = operation.get("requestBody", {}).get("content", {})
    bodies = [(media_type, name) for media_type, each in content.items() for name in each.get("examples", {})]
    names = {name for each in operation.get("parameters", []) for name in each.get("examples", {})}
    return bodies or [("", name) for name in sorted(names)] or [("", WITHOUT_EXAMPLE)]


def with_example(request: Event, operation: dict[str, Any], media_type: str, name: str, key: str) -> Event:
    """Return *request* with query, headers and body of the example.

    Ids in its path and the write key are those of the prepared data.
    """
    values: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation.get("parameters", []):
        is_prepared = parameter["in"] == "path" and "enum" not in parameter["schema"]  # an id, or a write key
        if name in parameter.get("examples", {}) and not is_prepared:
            values[parameter["in"]][parameter["name"]] = str(parameter["examples"][name]["value"])
    sent = with_parameters(request, values["path"])
    prepared = {key: value for key, value in (request["queryStringParameters"] or {}).items() if key in PREPARED}
    query = {**values["query"], **{key: prepared[key] for key in prepared.keys() & values["query"].keys()}}
    sent = with_query(sent, **{("from_" if key == "from" else key): value for key, value in query.items()})
    headers = {key.replace("-", "_"): value for key, value in values["header"].items()}
    sent = with_headers(sent, idempotency_key=headers.pop("idempotency_key", None), **headers)
    content = operation.get("requestBody", {}).get("content", {})
    examples = content.get(media_type, {}).get("examples", {})
    if media_type == FORM:  # it is signed for the prepared data
        return with_headers(sent, content_type=media_type)
    if name not in examples:
        return {**sent, "body": None, "isBase64Encoded": False}
    body = json.loads(SAMPLED_KEY.sub(key, json.dumps(examples[name]["value"])))
    return with_headers(with_body(sent, with_prepared(body, request)), content_type=media_type)


def with_prepared(body: Any, request: Event) -> Any:  # noqa: ANN401 - JSON
    """Return *body* with the members in the body of *request* that name prepared data."""
    if not isinstance(body, dict) or not PREPARED & body.keys():
        return body
    sent = request["body"] or "{}"
    prepared = json.loads(base64.b64decode(sent) if request["isBase64Encoded"] else sent)
    return body | {name: prepared[name] for name in PREPARED & body.keys() & prepared.keys()}


def with_parameters(request: Event, values: dict[str, str]) -> Event:
    """Return *request* with *values* in its path, in place of those of the prepared data."""
    parameters: dict[str, str] = {**(request["pathParameters"] or {}), **values}
    path = request["resource"]
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    return {**with_path(request, path, request["resource"]), "pathParameters": parameters or None}


def cases() -> Iterator[tuple[str, str, str, str]]:
    for (method, path), operation in sorted(operations().items()):
        for media_type, name in example_names(operation):
            if (method, path, media_type, name) not in NEEDS_A_PROVIDER:
                yield method, path, media_type, name


@pytest.fixture
def large(databases: Databases, globex: Provisioned, reachable_provider: Provider) -> Largest:
    return Largest(databases=databases, acme=globex, issuer=reachable_provider.issuer)


@pytest.mark.parametrize(("method", "path", "media_type", "name"), list(cases()))
@pytest.mark.usefixtures("secrets")
def test_example_gets_its_documented_success(
    method: str,
    path: str,
    media_type: str,
    name: str,
    start: Start,
    large: Largest,
    clock: StoppedClock,
) -> None:
    route, operation = ROUTES[method, path], operations()[method, path]
    prepared = next(iter(CASES[route.name](large, route)))
    function = StartedFunctions(start)[route.function]
    if is_timed(operation):
        clock.moment = MOMENT
        clock.stop(function)

    answer = function(with_example(prepared, operation, media_type, name, large.acme.write_key.text))

    assert answer["statusCode"] == successful_status(operation), answer["body"][:2_000]


def successful_status(operation: dict[str, Any]) -> int:
    """Return the status of a success. Only a redirect has none of 2xx."""
    statuses = [int(status) for status in operation["responses"] if status[0] in "23"]
    [status] = [each for each in statuses if each < HTTPStatus.MULTIPLE_CHOICES] or statuses
    return status


def is_timed(operation: dict[str, Any]) -> bool:
    """Whether the examples of an operation have times of events."""
    text = json.dumps(operation.get("requestBody", {}))
    return any(f'"{member}": "20' in text for member in ("event_timestamp", "timestamp", "time"))
