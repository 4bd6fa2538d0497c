"""Each error type that pydantic can raise for a request of a route has a code and a text of ours."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws_lambda_powertools.event_handler.openapi.compat import ModelField
from pydantic import BaseModel

from tenancy.gateway.field_errors import TEXTS
from tenancy.settings import OPTIONAL, VARIABLES
from tests.given import ROOT
from tests.handlers.functions import running
from tests.template.app_source import nodes, resolver_routes
from tests.template.template import FOLDERS

VALUES = dict.fromkeys(set(VARIABLES) - OPTIONAL, "1")
WITH_RESOLVER = [function for function in FOLDERS if resolver_routes(function)]
# Error types of each kind of pydantic's core schemas, and of its constraints. A kind that is not here fails the test:
# find out which errors it raises, then add texts for them to `TEXTS`.
NO_ERRORS: frozenset[str] = frozenset()
ERRORS: Mapping[str, frozenset[str]] = {
    "definitions": NO_ERRORS,
    "definition-ref": NO_ERRORS,
    "default": NO_ERRORS,
    "nullable": NO_ERRORS,
    "none": NO_ERRORS,
    "model-field": frozenset({"missing"}),
    "model-fields": frozenset({"model_attributes_type"}),
    "model": frozenset({"model_type"}),
    "str": frozenset({"string_type", "string_unicode"}),
    "int": frozenset({"int_type"}),
    "bool": frozenset({"bool_type"}),
    "list": frozenset({"list_type", "too_short", "too_long"}),
    "uuid": frozenset({"uuid_type", "uuid_parsing"}),
    "date": NO_ERRORS,  # only below a validator that parses it
    "enum": frozenset({"enum"}),
    "literal": frozenset({"literal_error"}),
    "is-instance": NO_ERRORS,  # of a union that also takes the text
    "union": NO_ERRORS,
    "function-after": NO_ERRORS,  # validators of ours
    "function-before": NO_ERRORS,
    "function-plain": NO_ERRORS,
    "any": NO_ERRORS,  # the input of a validator of ours
    "json-or-python": NO_ERRORS,
    "lax-or-strict": NO_ERRORS,
}
CONSTRAINTS: Mapping[str, str] = {
    "min_length": "string_too_short",
    "max_length": "string_too_long",
    "pattern": "string_pattern_mismatch",
    "ge": "greater_than_equal",
    "le": "less_than_equal",
    "gt": "greater_than",
    "lt": "less_than",
    "multiple_of": "multiple_of",
}
FREE = {"type", "metadata", "ref", "serialization", "strict", "strip_whitespace", "to_lower"}


def schemas(value: object, *, is_parsed: bool = False) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield each schema within *value*, and whether a validator of ours has parsed its input before."""
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            yield value, is_parsed
        for name, member in value.items():
            if name not in {"metadata", "serialization", "function"}:
                yield from schemas(member, is_parsed=is_parsed or value.get("type") == "function-before")
    elif isinstance(value, list):
        for member in value:
            yield from schemas(member, is_parsed=is_parsed)


def error_types(field: ModelField) -> Iterator[str]:
    for schema, is_parsed in schemas(field._type_adapter.core_schema):
        kind = schema["type"]
        yield from ERRORS[kind]
        if kind in {"int", "date", "bool"} and not (schema.get("strict") or is_parsed):
            yield f"{kind}_parsing"
        if kind in {"str", "int"}:
            yield from (CONSTRAINTS[name] for name in schema if name not in FREE)
        if schema.get("extra_behavior") == "forbid":
            yield "extra_forbidden"


def fields(function: str) -> Iterator[tuple[str, ModelField]]:
    """Yield each parameter and body of the routes of *function*."""
    with running(function, VALUES) as started:
        for route in started.app.app._static_routes + started.app.app._dynamic_routes:
            taken = route.dependant
            for field in (*taken.path_params, *taken.query_params, *taken.header_params, *taken.body_params):
                yield f"{route.method} {route.path} {field.alias}", field


@pytest.mark.parametrize("function", WITH_RESOLVER)
def test_each_error_type_of_a_route_has_our_text(function: str) -> None:
    unknown = {where: set(error_types(field)) - set(TEXTS) for where, field in fields(function)}

    assert {where: kinds for where, kinds in unknown.items() if kinds} == {}


def body_models(function: str) -> Iterator[type[BaseModel]]:
    with running(function, VALUES) as started:
        for route in started.app.app._static_routes + started.app.app._dynamic_routes:
            for field in route.dependant.body_params:
                found = [schema["cls"] for schema, _ in schemas(field._type_adapter.core_schema) if "cls" in schema]
                yield from (model for model in found if isinstance(model, type) and issubclass(model, BaseModel))


@pytest.mark.parametrize("function", WITH_RESOLVER)
def test_each_body_refuses_unknown_members(function: str) -> None:
    assert [model for model in body_models(function) if model.model_config.get("extra") != "forbid"] == []


def test_each_invalid_request_lists_its_fields() -> None:
    files = [path for folder in ("functions", "layers/tenancy") for path in sorted((ROOT / folder).rglob("*.py"))]
    calls = [
        (path, node)
        for path in files
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "InvalidError"
    ]

    without = [f"{path}:{call.lineno}" for path, call in calls if "errors" not in {each.arg for each in call.keywords}]

    assert calls
    assert without == []
