"""Each documented example, on prepared data, gets its documented 2xx.

The stores are prepared as for the largest answer of the route, for globex, because an example provisions acme. The
document gives query, headers and body.
"""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
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
from tests.isolation.proof.discovery.deployment import discover_routes

ROUTES = {(route.method, route.path): route for route in discover_routes() if route.method != "OPTIONS"}
# The examples have fixed times of this day. The clock stands still on it, so that their retention does not end.
MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
WITHOUT_EXAMPLE = ""
CREDENTIALS = {"email", "organization", "password", "refresh_token", "token"}  # members of public routes
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
    sent = with_query(sent, **{("from_" if key == "from" else key): value for key, value in values["query"].items()})
    headers = {key.replace("-", "_"): value for key, value in values["header"].items()}
    sent = with_headers(sent, idempotency_key=headers.pop("idempotency_key", None), **headers)
    content = operation.get("requestBody", {}).get("content", {})
    examples = content.get(media_type, {}).get("examples", {})
    if name not in examples:
        return {**sent, "body": None, "isBase64Encoded": False}
    body = json.loads(SAMPLED_KEY.sub(key, json.dumps(examples[name]["value"])))
    return with_headers(with_body(sent, with_credential(body, request)), content_type=media_type)


def with_credential(body: Any, request: Event) -> Any:  # noqa: ANN401 - JSON
    """Return *body* with the credential in the body of *request*, which a public route takes instead of a header."""
    if not isinstance(body, dict) or not CREDENTIALS & body.keys():
        return body
    sent = request["body"] or "{}"
    prepared = json.loads(base64.b64decode(sent) if request["isBase64Encoded"] else sent)
    return body | {name: prepared[name] for name in CREDENTIALS & body.keys() & prepared.keys()}


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
            yield method, path, media_type, name


@pytest.mark.parametrize(("method", "path", "media_type", "name"), list(cases()))
@pytest.mark.usefixtures("secrets")
def test_example_gets_its_documented_2xx(
    method: str,
    path: str,
    media_type: str,
    name: str,
    start: Start,
    databases: Databases,
    globex: Provisioned,
    clock: StoppedClock,
) -> None:
    route, operation = ROUTES[method, path], operations()[method, path]
    prepared = next(iter(CASES[route.name](Largest(databases=databases, acme=globex), route)))
    function = StartedFunctions(start)[route.function]
    if is_timed(operation):
        clock.moment = MOMENT
        clock.stop(function)

    answer = function(with_example(prepared, operation, media_type, name, globex.write_key.text))

    expected = [int(status) for status in operation["responses"] if status.startswith("2")]
    assert [answer["statusCode"]] == expected, answer["body"][:2_000]


def is_timed(operation: dict[str, Any]) -> bool:
    """Whether the examples of an operation have times of events."""
    text = json.dumps(operation.get("requestBody", {}))
    return any(f'"{member}": "20' in text for member in ("event_timestamp", "timestamp", "time"))
