"""The refusals of API Gateway itself, from the template.

A type that the template lists can come on each operation, unless this module knows better.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.openapi.headers import UNLISTED
from scripts.openapi.routes import read_template

# Only the routes with the authorizer have these.
OF_THE_AUTHORIZER: Final = frozenset(
    {"UNAUTHORIZED", "ACCESS_DENIED", "INVALID_API_KEY", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"}
)
# The request has no route, so no operation has these.
WITHOUT_ROUTE: Final = frozenset(
    {"MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE", "EXPIRED_TOKEN", "RESOURCE_NOT_FOUND"}
)
CONTENT_TYPE: Final = "Content-Type"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRefusal:
    """A refusal as the client gets it.

    *name* is the code of our own refusals, and the type of those of API Gateway. *headers* are the names that the
    document lists.
    """

    name: str
    status: int
    media_type: str
    headers: frozenset[str]
    body: Mapping[str, Any]


# API Gateway does not let a template change this one (AWS, "Gateway response types"). It has a body of its own.
TOO_LARGE: Final = SentRefusal(
    name="REQUEST_TOO_LARGE",
    status=413,
    media_type="application/json",
    headers=frozenset(),
    body={"message": "Request Too Long"},
)


def read_gateway_responses() -> dict[str, Any]:
    """Return the template's responses by their types."""
    responses: dict[str, Any] = read_template()["Resources"]["Api"]["Properties"]["GatewayResponses"]
    return responses


def list_gateway_refusals(request_id: str, *, has_authorizer: bool) -> Iterator[SentRefusal]:
    """Yield the refusals of API Gateway that an operation can have.

    `DEFAULT_4XX` has no status of its own. It stands for types that AWS may add.
    """
    yield TOO_LARGE
    left_out = WITHOUT_ROUTE if has_authorizer else WITHOUT_ROUTE | OF_THE_AUTHORIZER
    for name, response in read_gateway_responses().items():
        if name not in left_out and "StatusCode" in response:
            yield _refusal(name, response, request_id)


def _refusal(name: str, response: Mapping[str, Any], request_id: str) -> SentRefusal:
    """Return the refusal of the template. A header `Content-Type` replaces the media type of its body."""
    [(media_type, text)] = response["ResponseTemplates"].items()
    headers = response["ResponseParameters"]["Headers"]
    return SentRefusal(
        name=name,
        status=response["StatusCode"],
        media_type=headers.get(CONTENT_TYPE, media_type).strip("'"),
        headers=frozenset(name for name in headers if name.lower() not in UNLISTED),
        body=json.loads(text.replace("$context.requestId", request_id)),
    )
