"""Compares each answer of a function with docs/openapi.json.

Every test that calls a function also checks the document. A member, a header, a status or a code that the document does
not have fails the test. So does a required header that the answer lacks.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from scripts.openapi.headers import UNLISTED
from tests.given import ROOT

COMPONENTS = "#/components/"
SCHEMA = re.compile(rf'"{COMPONENTS}schemas/([^"/]+)"')
PARAMETER = re.compile(r"\{\w+\}")
STAGE = "/v1"


@cache
def read_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
    return document


@cache
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations of the document by method and path."""
    paths = read_document()["paths"]
    return {(method.upper(), path): operation for path, item in paths.items() for method, operation in item.items()}


def find_path(method: str, path: str) -> str | None:
    """Return the path of the operation that a request calls, or None if it calls none.

    As in API Gateway, a path without parameters comes first.
    """
    sent = path.removeprefix(STAGE).rstrip("/")
    found = (each for verb, each in operations() if verb == method and pattern_of(each).fullmatch(sent))
    return min(found, key=lambda each: each.count("{"), default=None)


@cache
def pattern_of(path: str) -> re.Pattern[str]:
    """Return the pattern of the paths of an operation, with a group for each parameter."""
    return re.compile("([^/]+)".join(map(re.escape, PARAMETER.split(path))))


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """Return *value*, or the component that it refers to."""
    target: dict[str, Any] = value
    while "$ref" in target:
        section, name = target["$ref"].removeprefix(COMPONENTS).split("/")
        target = read_document()["components"][section][name]
    return target


def strict(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Return *schema* so that objects have no other members than it names."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {name: strict(each) for name, each in schema.items()}
    is_object = "properties" in schema and isinstance(schema["properties"], dict) and "allOf" not in schema
    return {"unevaluatedProperties": False, **copied} if is_object and "additionalProperties" not in schema else copied


@cache
def validator_of(method: str, path: str, status: str, media_type: str) -> Draft202012Validator:
    """Return the validator of one answer.

    Raises:
        KeyError: the document does not have the answer.
    """
    response = resolved(operations()[method, path]["responses"][status])
    content = {name.partition(";")[0]: each for name, each in response["content"].items()}
    return validator(content[media_type]["schema"])


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return the validator of *schema* with its components only. Compiling all components takes 20 times as long."""
    made = strict(dict(schema))
    names = _named_components(made)
    while (further := names.union(*(_named_components(_component(name)) for name in names))) != names:
        names = further
    components = {"schemas": {name: _component(name) for name in sorted(names)}}
    return Draft202012Validator({**made, "components": components}, validate_formats=True)


def _named_components(schema: Mapping[str, Any]) -> set[str]:
    return set(SCHEMA.findall(json.dumps(schema)))


@cache
def _component(name: str) -> dict[str, Any]:
    schema = _schemas()[name]
    return schema if name == "Problem" else _strict_component(schema)


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = read_document()["components"]["schemas"]
    return schemas


def _strict_component(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a component that takes no unknown members.

    Problems are made of two parts, which see each other's members only from outside.
    """
    if "allOf" in schema:
        return {**schema, "unevaluatedProperties": False}
    made: dict[str, Any] = strict(schema)
    return made


def check_documented(event: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Fail if *answer* to *event* is not in the document."""
    method = str(event.get("httpMethod"))
    path = find_path(method, str(event.get("path")))
    if path is None:
        return  # no route: tests/docs/test_openapi.py compares the routes
    status = str(answer["statusCode"])
    responses = operations()[method, path]["responses"]
    assert status in responses, f"{method} {path} answers {status}, which docs/openapi.json does not have"
    headers = {name.lower(): value for name, value in (answer.get("headers") or {}).items()}
    headers |= {name.lower(): values[-1] for name, values in (answer.get("multiValueHeaders") or {}).items()}
    _check_headers(method, path, status, set(headers))
    _check_body(method, path, status, headers.get("content-type", ""), answer["body"])


def _check_headers(method: str, path: str, status: str, sent: set[str]) -> None:
    described = resolved(operations()[method, path]["responses"][status])["headers"]
    required = {name.lower() for name, each in described.items() if resolved(each)["required"]}
    unknown = sent - {name.lower() for name in described} - UNLISTED
    assert unknown == set(), f"{method} {path} answers {status} with {sorted(unknown)}, which docs/openapi.json lacks"
    assert required <= sent, f"{method} {path} answers {status} without {sorted(required - sent)}"


def _check_body(method: str, path: str, status: str, content_type: str, body: str) -> None:
    response = resolved(operations()[method, path]["responses"][status])
    if "content" not in response:
        assert not body, f"{method} {path} answers {status} with a body"
        return
    media_type = content_type.partition(";")[0]
    value = json.loads(body) if media_type.endswith("json") else body
    try:
        chosen = validator_of(method, path, status, media_type)
    except KeyError as error:
        raise AssertionError(f"{method} {path} answers {status} as {media_type}") from error
    errors = [f"{list(each.instance_path)}: {each.message[:500]}" for each in chosen.iter_errors(value)]
    assert errors == [], f"{method} {path} answers {status}: {errors[:5]}"
