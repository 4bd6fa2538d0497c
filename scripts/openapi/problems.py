"""The refusals of the document.

Each refusal has a schema. Each set of refusals with one status has a response.
"""

import inspect
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from scripts.openapi.routes import read_template
from tenancy.errors import (
    LOCATION_MAX_CHARACTERS,
    MAX_ERRORS,
    MESSAGE_MAX_CHARACTERS,
    FieldError,
    ForbiddenError,
    InternalError,
    InvalidError,
    MalformedRequestError,
    NotFoundError,
    OrganizationInactiveError,
    QuotaExceededError,
    RateLimitedError,
    Refusal,
    TenantMismatchError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from tenancy.gateway.http import INSTANCE_MAX_CHARACTERS, problem_answer
from tenancy.rules.tiers import Tier

PROBLEM: Final = "application/problem+json"
INSTANCE: Final = "/v1/organizations/current"
REQUEST_ID: Final = "41d6558d-f87f-4729-9630-fe0413541091"
UPGRADE_URL: Final = "https://example.com/upgrade"
THROTTLED: Final = "THROTTLED"  # API Gateway's own refusal, for any route
# Any route can answer with these, because they do not depend on the request.
OF_ALL_ROUTES: Final = (InternalError, UnavailableError)
OF_ROUTES_WITH_CREDENTIAL: Final = (
    MalformedRequestError,
    UnauthenticatedError,
    QuotaExceededError,
    ForbiddenError,
    OrganizationInactiveError,
    TenantMismatchError,
    NotFoundError,
    TooLargeError,
    InvalidError,
    RateLimitedError,
)
# Values for examples by the names of the parameters of refusals.
ARGUMENTS: Final[dict[str, Any]] = {
    "api": 60_000,
    "blockers": ["users"],
    "ingest": 30_000,
    "metric": "events",
    "limit": 80_000,  # of `custom`, the largest usage plan
    "used": 80_000,
    "retry_after": 60,
    "subdomain": "acme",
    "tier": Tier.STARTER,
}
FIELD_ERROR: Final = FieldError(location="body/tier", code="unknown", message="Expected starter, growth or enterprise.")
TYPES: Final = {str: "string", int: "integer", list: "array"}

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` is stable. `message` repeats `detail`.",
    "required": ["type", "title", "status", "detail", "instance", "code", "message", "request_id"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "maxLength": MESSAGE_MAX_CHARACTERS},
        "instance": {"type": "string", "maxLength": INSTANCE_MAX_CHARACTERS},
        "code": {"type": "string"},
        "message": {"type": "string", "maxLength": MESSAGE_MAX_CHARACTERS},
        "request_id": {"type": "string"},
        "retry_after": {"type": "integer", "minimum": 1},
        "errors": {
            "type": "array",
            "maxItems": MAX_ERRORS,
            "items": {"$ref": "#/components/schemas/FieldError"},
        },
    },
}
FIELD_ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A field at fault.",
    "required": ["location", "code", "message"],
    "properties": {
        "location": {"type": "string", "maxLength": LOCATION_MAX_CHARACTERS},
        "code": {"type": "string"},
        "message": {"type": "string", "maxLength": MESSAGE_MAX_CHARACTERS},
    },
}


class Problems:
    """The schemas and responses of refusals that the operations of a document use."""

    def __init__(self) -> None:
        """Begin with the schemas that all refusals share."""
        self.schemas: dict[str, Any] = {"FieldError": FIELD_ERROR_SCHEMA, "Problem": PROBLEM_SCHEMA}
        self.responses: dict[str, Any] = {}

    def responses_of(self, refusals: Iterable[type[Refusal]]) -> dict[str, Any]:
        """Return the responses of an operation with *refusals*, by status.

        API Gateway may throttle each operation.
        """
        examples: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
        every: tuple[type[Refusal], ...] = (*refusals, *OF_ALL_ROUTES)
        for each in every:
            examples[each.status][each.code] = example_of(each)
        throttled = throttled_example()
        examples[throttled["status"]][throttled["code"]] = throttled
        return {str(status): self._response(status, shown) for status, shown in sorted(examples.items())}

    def _response(self, status: int, examples: dict[str, dict[str, Any]]) -> dict[str, str]:
        name = ".".join((str(status), *sorted(examples)))
        if name not in self.responses:
            self.responses[name] = self._new_response(examples)
        return {"$ref": f"#/components/responses/{name}"}

    def _new_response(self, examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
        references = [self._schema(code, examples[code]) for code in sorted(examples)]
        headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
        if all("retry_after" in each for each in examples.values()):
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        return {
            "description": " or ".join(dict.fromkeys(each["title"] for each in examples.values())),
            "headers": headers,
            "content": {
                PROBLEM: {
                    "schema": references[0] if len(references) == 1 else {"anyOf": references},
                    "examples": {code: {"value": examples[code]} for code in sorted(examples)},
                }
            },
        }

    def _schema(self, code: str, example: dict[str, Any]) -> dict[str, str]:
        """Return a reference to the schema of a refusal, with the types of the example."""
        name = f"Problem.{code}"
        known = PROBLEM_SCHEMA["properties"]
        members = {each: _type_of(value) for each, value in example.items() if each not in known}
        required = [each for each in example if each not in {*PROBLEM_SCHEMA["required"], "upgrade_url", "errors"}]
        own = {
            "type": "object",
            "properties": {"code": {"type": "string", "const": code}, **members},
            **({"required": required} if required else {}),
        }
        self.schemas[name] = {"allOf": [{"$ref": "#/components/schemas/Problem"}, own]}
        return {"$ref": f"#/components/schemas/{name}"}


def example_of(refusal: type[Refusal]) -> dict[str, Any]:
    """Return the problem document of a refusal, as the gateway makes it.

    Raises:
        KeyError: the refusal takes a parameter that `ARGUMENTS` has no value for.
    """
    parameters = inspect.signature(refusal).parameters
    arguments: dict[str, Any] = {
        name: ARGUMENTS[name]
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name != "detail"
    }
    if "detail" in parameters and parameters["detail"].default in {"", inspect.Parameter.empty}:
        arguments["detail"] = str(inspect.getdoc(refusal)).partition("\n")[0]
    if refusal is InvalidError:
        arguments["errors"] = [FIELD_ERROR]
    answer = problem_answer(refusal(**arguments), instance=INSTANCE, request_id=REQUEST_ID, upgrade_url=UPGRADE_URL)
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def throttled_example() -> dict[str, Any]:
    """Return the refusal with which API Gateway throttles, from the template."""
    response = read_template()["Resources"]["Api"]["Properties"]["GatewayResponses"][THROTTLED]
    text = response["ResponseTemplates"]["application/json"].replace("$context.requestId", REQUEST_ID)
    document: dict[str, Any] = json.loads(text)
    return document


def _type_of(value: object) -> dict[str, Any]:
    if isinstance(value, list):
        return {"type": "array", "items": _type_of(value[0])}
    return {"type": TYPES[type(value)]}
