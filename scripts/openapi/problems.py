"""The refusals of the document.

Each refusal has a schema. Each set of refusals with one status has a response.
"""

import inspect
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from scripts.openapi.gateway_refusals import SentRefusal, list_gateway_refusals
from scripts.openapi.headers import header_references
from scripts.openapi.routes import DeployedRoute
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
from tenancy.gateway.answers import NO_REFUSED_HEADERS
from tenancy.gateway.http import INSTANCE_MAX_CHARACTERS, problem_answer
from tenancy.rules.tiers import Tier

PROBLEM: Final = "application/problem+json"
INSTANCE: Final = "/v1/organizations/current"
REQUEST_ID: Final = "41d6558d-f87f-4729-9630-fe0413541091"
UPGRADE_URL: Final = "https://example.com/upgrade"
RATE_HEADERS: Final = ("RateLimit", "RateLimit-Policy")  # of each answer to a request that was counted
RARE_HEADERS: Final = ("WWW-Authenticate", "RateLimit", "Set-Cookie")  # of some responses with the same codes
# Any route can answer with these, because they do not depend on the request.
OF_ALL_ROUTES: Final = (InternalError, UnavailableError)
OF_PUBLIC_ROUTES: Final = (MalformedRequestError, TooLargeError, InvalidError)  # of a resolver
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
    "domain": "acme.example",
    "entitlement": "sso",
    "ingest": 30_000,
    "metric": "events",
    "record_name": "_tenancy-verification.acme.example",
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
GATEWAY_MESSAGE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A refusal of API Gateway in its own form, which has no code.",
    "required": ["message"],
    "properties": {"message": {"type": "string"}},
}


class Problems:
    """The schemas and responses of refusals that the operations of a document use."""

    def __init__(self) -> None:
        """Begin with the schemas that all refusals share."""
        self.schemas: dict[str, Any] = {
            "FieldError": FIELD_ERROR_SCHEMA,
            "GatewayMessage": GATEWAY_MESSAGE_SCHEMA,
            "Problem": PROBLEM_SCHEMA,
        }
        self.responses: dict[str, Any] = {}

    def responses_of(
        self,
        route: DeployedRoute,
        refusals: Iterable[type[Refusal]],
        own_headers: Mapping[int, tuple[str, ...]] = NO_REFUSED_HEADERS,
    ) -> dict[str, Any]:
        """Return the responses of an operation with *refusals*, by status.

        *own_headers* are those that the refusals of the operation may have, by status.

        API Gateway refuses some requests itself.
        """
        found: dict[int, list[SentRefusal]] = defaultdict(list)
        every: tuple[type[Refusal], ...] = (*refusals, *OF_ALL_ROUTES)
        own = [refusal_of(each) for each in every]
        for each in (*own, *list_gateway_refusals(REQUEST_ID, has_authorizer=route.has_authorizer)):
            found[each.status].append(each)
        counted = {each.status for each in own} if route.is_admitted else set()
        return {
            str(status): self._response(
                status,
                found[status],
                (*(RATE_HEADERS if status in counted else ()), *own_headers.get(status, ())),
            )
            for status in sorted(found)
        }

    def _response(self, status: int, refusals: list[SentRefusal], optional: Iterable[str]) -> dict[str, str]:
        """Return a reference to the response of a status. Each code of *refusals* has the example that comes first."""
        sent = [each.headers for each in refusals]
        headers = header_references(frozenset.intersection(*sent), frozenset.union(*sent, optional))
        shown = {(each.media_type, each.body.get("code")): each for each in reversed(refusals)}
        examples = sorted(shown.values(), key=lambda each: each.name)
        rare = [each for each in RARE_HEADERS if each in headers]
        name = ".".join((str(status), *(each.name for each in examples), *rare))
        titles = [each.body.get("title", each.body["message"]) for each in examples]
        response = {
            "description": " or ".join(dict.fromkeys(titles)),
            "headers": headers,
            "content": self._content(examples),
        }
        if self.responses.setdefault(name, response) != response:
            raise ValueError(f"Two responses are named {name}.")
        return {"$ref": f"#/components/responses/{name}"}

    def _content(self, examples: list[SentRefusal]) -> dict[str, Any]:
        """Return the media types of the refusals *examples*."""
        content = {}
        for media_type in sorted({each.media_type for each in examples}, reverse=True):
            shown = [each for each in examples if each.media_type == media_type]
            references = [self._schema(each.body) for each in shown]
            content[media_type] = {
                "schema": references[0] if len(references) == 1 else {"anyOf": references},
                "examples": {each.name: {"value": each.body} for each in shown},
            }
        return content

    def _schema(self, example: Mapping[str, Any]) -> dict[str, str]:
        """Return a reference to the schema of a refusal, with the types of the example."""
        if "code" not in example:
            return {"$ref": "#/components/schemas/GatewayMessage"}
        code = example["code"]
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


def refusal_of(refusal: type[Refusal]) -> SentRefusal:
    """Return a refusal as the gateway sends it."""
    body = example_of(refusal)
    headers = frozenset({"Cache-Control", "X-Request-Id", *(["Retry-After"] if "retry_after" in body else [])})
    return SentRefusal(name=refusal.code, status=refusal.status, media_type=PROBLEM, headers=headers, body=body)


def _type_of(value: object) -> dict[str, Any]:
    if isinstance(value, list):
        return {"type": "array", "items": _type_of(value[0])}
    return {"type": TYPES[type(value)]}
