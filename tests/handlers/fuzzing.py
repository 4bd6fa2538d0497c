"""Fuzz operations by schemathesis, with a fixed seed and a fixed number of requests.

A 5xx fails, and so does a status, a media type or a body that the document does not have. schemathesis checks of the
headers those that the document declares. `check_documented` also refuses the others, as in every test of a function.
"""

from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.handlers.documented import operations, read_document
from tests.handlers.local_api import LocalApi

SEED = 13
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Writes that end the use of an organization come last.
ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
FREE_TEXT = {"type": "string"}
OPERATOR_ROUTES, TENANT_ROUTES, PUBLIC_ROUTES = "operators", "tenants", "public"

type Name = tuple[str, str]


def kind_of(name: Name) -> str:
    """Return the callers of an operation. Each operation has exactly one kind."""
    schemes = {scheme for each in operations()[name]["security"] for scheme in each}
    if "platformKey" in schemes:
        return OPERATOR_ROUTES
    return PUBLIC_ROUTES if "writeKey" in schemes or not schemes else TENANT_ROUTES


def names_of(kind: str) -> list[Name]:
    return sorted((name for name in operations() if kind_of(name) == kind), key=lambda name: ORDER.index(name[0]))


def modes_of(name: Name) -> list[GenerationMode]:
    """Return both modes. A request with nothing but free texts cannot be invalid."""
    operation = operations()[name]
    is_free = all(parameter["schema"] == FREE_TEXT for parameter in operation.get("parameters", []))
    return [GenerationMode.POSITIVE] if is_free and "requestBody" not in operation else list(GenerationMode)


def fuzz(api: LocalApi, kind: str, subtests: pytest.Subtests, *, examples: int) -> set[int]:
    """Send valid and invalid requests, *examples* of each, to each operation of *kind*.

    Return the statuses of the answers.
    """
    schema: Any = schemathesis.openapi.from_dict(read_document())
    schema.app = api
    known = {"organization_id": str(api.acme.organization.id), "writeKey": api.acme.write_key.text}
    for method, path in names_of(kind):
        operation = schema[path][method]
        for mode in modes_of((method, path)):
            with subtests.test(f"{method} {path} {mode}"):
                fixed = {name: value for name, value in known.items() if f"{{{name}}}" in path}
                _send(operation, mode, fixed if mode.is_positive else {}, examples=examples)
    return api.statuses


def _send(operation: Any, mode: GenerationMode, fixed: Mapping[str, str], *, examples: int) -> None:  # noqa: ANN401
    strategy = operation.as_strategy(generation_mode=mode, path_parameters=dict(fixed) or None)

    @seed(SEED)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Any) -> None:  # noqa: ANN401 - schemathesis has no types of its own
        case.call_and_validate(checks=CHECKS)

    send()
