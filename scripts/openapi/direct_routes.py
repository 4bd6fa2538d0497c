"""The routes of functions without a resolver: their requests, answers and refusals.

A route of such a function that is missing here is in no document: `make openapi` and the tests fail for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from scripts.openapi.problems import OF_ROUTES_WITH_CREDENTIAL
from scripts.openapi.public_documents import (
    DISCOVERY,
    DOCUMENT,
    EXAMPLE_DISCOVERY,
    EXAMPLE_KEY_SET,
    KEY_SET,
    SHORT_DOCUMENT,
)
from scripts.openapi.routes import DeployedRoute
from tenancy.errors import (
    InvalidError,
    MalformedRequestError,
    NotFoundError,
    OrganizationInactiveError,
    RateLimitedError,
    Refusal,
    TenantMismatchError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from tenancy.gateway.console_files import MEDIA_TYPES, SECURITY_HEADERS
from tenancy.gateway.documents.cloud_events import BATCH_MODE, STRUCTURED_MODE
from tenancy.rules.events.batch import MAX_EVENTS
from tenancy.rules.events.cloud_events import CloudEvent
from tenancy.rules.events.event import Event
from tenancy.rules.events.segment import BATCH_PATHS, TYPE_OF_PATH
from tenancy.rules.keys.api_keys import KeyType
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.use_cases.ingest.ingest_events import Receipt

JSON: Final = "application/json"
REFERENCE: Final = "#/components/schemas/{name}"
OF_SEGMENT: Final = (
    MalformedRequestError,
    UnauthenticatedError,
    OrganizationInactiveError,
    TenantMismatchError,
    TooLargeError,
    InvalidError,
    RateLimitedError,
)
# No header is required: mobile SDKs send `writeKey` in the body.
SEGMENT_SECURITY: Final[list[dict[str, list[str]]]] = [{"writeKeyBasic": []}, {"writeKey": []}, {}]
EVENT_SECURITY: Final[list[dict[str, list[str]]]] = [
    {"writeKey": []},
    {"writeKeyBasic": []},
    {"secretKey": [EVENTS_WRITE]},
    {"accessToken": [EVENTS_WRITE]},
]
OBJECT_OR_NULL: Final = {"type": ["object", "null"]}
SUCCESS: Final = {
    "type": "object",
    "required": ["success"],
    "properties": {"success": {"type": "boolean", "const": True}},
}
WRITE_KEY: Final = {"type": "string", "pattern": f"^{KeyType.WRITE}_"}
SETTINGS: Final = {
    "type": "object",
    "required": ["integrations", "metrics"],
    "properties": {
        "integrations": {
            "type": "object",
            "required": ["Segment.io"],
            "properties": {
                "Segment.io": {
                    "type": "object",
                    "required": ["apiKey", "apiHost"],
                    "properties": {"apiKey": WRITE_KEY, "apiHost": {"type": "string"}},
                }
            },
        },
        "metrics": {
            "type": "object",
            "required": ["sampleRate"],
            "properties": {"sampleRate": {"type": "integer", "const": 0}},
        },
    },
}
CALL: Final = {
    "type": "object",
    "description": "A call of a Segment SDK. It may have any member.",
    "additionalProperties": True,
    "properties": {
        "type": {"type": "string", "enum": sorted(set(TYPE_OF_PATH.values()))},
        "writeKey": {"type": ["string", "null"], "maxLength": 255},
        "context": {},
        "integrations": {},
    },
}
CALLS: Final = {
    "type": "object",
    "required": ["batch"],
    "additionalProperties": True,
    "properties": {
        "batch": {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": {}},
        "writeKey": {"type": ["string", "null"], "maxLength": 255},
        "context": {},
        "integrations": {},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectRoute:
    """A route without a resolver.

    *bodies* are the schemas of the body by media type. *answer* is the schema of the answer, or None for an empty one.
    *example* is the answer that the document shows, if docs/api.md shows none. *headers* are those of `Answers`.
    *media_types* are those of an answer that is text. *sampled* is the route of its samples, if it is an alias.
    *has_missing_page*: a 404 may be the page.
    """

    refusals: tuple[type[Refusal], ...]
    security: list[dict[str, list[str]]]
    status: int = 200
    answer: dict[str, Any] | None = None
    example: Mapping[str, Any] | None = None
    headers: Mapping[str, bool] = field(default_factory=dict)
    bodies: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    media_types: tuple[str, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    sampled: str | None = None
    has_not_modified: bool = False
    has_missing_page: bool = False


def list_schemas() -> dict[str, Any]:
    """Return the schemas of events and receipts, from the types that parse and answer them."""
    schemas: dict[str, Any]
    _, schemas = msgspec.json.schema_components([Receipt], ref_template=REFERENCE)
    schemas["Receipt"]["properties"]["rejected"]["maxItems"] = MAX_EVENTS
    event, cloud_event = _schema_of(Event), _schema_of(CloudEvent)
    event["properties"] |= {
        "properties": OBJECT_OR_NULL,
        "user_properties": OBJECT_OR_NULL,
        "revenue": {"type": ["number", "string", "null"], "description": "A decimal number."},
        "currency": {"type": ["string", "null"], "description": "An ISO 4217 code in any case."},
    }
    cloud_event["properties"]["data_base64"] = {"type": ["string", "null"]}
    others = {"EventBatch": _event_batch(), "SegmentCall": CALL, "SegmentBatch": CALLS}
    return {**schemas, "Event": event, "CloudEvent": cloud_event, **others}


def _schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the schema of *struct*. A raw member may have any value."""
    fields = msgspec.structs.fields(struct)
    raw = {each.encode_name for each in fields if each.type is msgspec.Raw}
    return {
        "type": "object",
        "description": str(struct.__doc__).partition("\n")[0],
        "properties": {
            each.encode_name: {} if each.encode_name in raw else msgspec.json.schema(each.type) for each in fields
        },
        "required": [each.encode_name for each in fields if each.required],
        "additionalProperties": not struct.__struct_config__.forbid_unknown_fields,
    }


def find_direct_route(route: DeployedRoute) -> DirectRoute:
    """Return the documentation of a *route* without a resolver.

    Raises:
        LookupError: there is none.
    """
    found = _routes().get(str(route))
    if found is None:
        raise LookupError(f"scripts/openapi/direct_routes.py does not document {route}.")
    return found


def _routes() -> dict[str, DirectRoute]:
    return {
        "GET /health": DirectRoute(refusals=(InvalidError,), security=[], answer=_const_status()),
        "GET /openapi.json": DirectRoute(
            refusals=(InvalidError,),
            security=[],
            answer=DOCUMENT,
            example=SHORT_DOCUMENT,
            headers={"ETag": True, "Cache-Control": True},
            has_not_modified=True,
        ),
        "GET /console": _static((MEDIA_TYPES[".html"],)),
        "GET /console/{file}": replace(
            _static(tuple(sorted(MEDIA_TYPES.values()))),
            refusals=(NotFoundError,),
            has_missing_page=True,
            parameters=({"name": "file", "in": "path", "required": True, "schema": {"type": "string"}},),
        ),
        "GET /.well-known/jwks.json": _public_document(KEY_SET, EXAMPLE_KEY_SET),
        "GET /.well-known/openid-configuration": _public_document(DISCOVERY, EXAMPLE_DISCOVERY),
        "POST /events": DirectRoute(
            refusals=OF_ROUTES_WITH_CREDENTIAL,
            security=EVENT_SECURITY,
            answer=_ref("Receipt"),
            bodies={JSON: _ref("EventBatch")},
        ),
        "POST /cloudevents": _cloud_events(status=200, answer=_ref("Receipt")),
        "POST /api/v1/events": _cloud_events(status=204, answer=None),
        **{f"POST {path}": _segment("SegmentBatch", "/batch") for path in BATCH_PATHS},
        **{f"POST {path}": _segment("SegmentCall", "/t") for path in TYPE_OF_PATH},
        "GET /projects/{writeKey}/settings": DirectRoute(
            refusals=(NotFoundError, TenantMismatchError, RateLimitedError),
            security=[],
            answer=SETTINGS,
            headers={"Cache-Control": True},
            parameters=({"name": "writeKey", "in": "path", "required": True, "schema": {"type": "string"}},),
        ),
    }


def _static(media_types: tuple[str, ...]) -> DirectRoute:
    return DirectRoute(
        refusals=(),
        security=[],
        media_types=media_types,
        headers=dict.fromkeys(("ETag", "Cache-Control", "Vary", *SECURITY_HEADERS), True) | {"Content-Encoding": False},
        has_not_modified=True,
    )


def _public_document(answer: dict[str, Any], example: Mapping[str, Any]) -> DirectRoute:
    return DirectRoute(
        refusals=(InvalidError, UnavailableError),
        security=[],
        answer=answer,
        example=example,
        headers={"ETag": True, "Cache-Control": True},
        has_not_modified=True,
    )


def _cloud_events(*, status: int, answer: dict[str, Any] | None) -> DirectRoute:
    batch = {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": _ref("CloudEvent")}
    return DirectRoute(
        refusals=(*OF_ROUTES_WITH_CREDENTIAL, UnsupportedMediaTypeError),
        security=EVENT_SECURITY,
        status=status,
        answer=answer,
        bodies={STRUCTURED_MODE: _ref("CloudEvent"), BATCH_MODE: batch},
    )


def _segment(body: str, sampled: str) -> DirectRoute:
    return DirectRoute(
        refusals=OF_SEGMENT, security=SEGMENT_SECURITY, answer=SUCCESS, bodies={JSON: _ref(body)}, sampled=sampled
    )


def _event_batch() -> dict[str, Any]:
    ignored = {"description": "Ignored. SDKs send this member."}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["events"],
        "properties": {
            "events": {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": _ref("Event")},
            "organization_id": {"type": ["string", "null"], "format": "uuid"},
            "sentAt": ignored,
            "writeKey": ignored,
            "context": ignored,
        },
    }


def _const_status() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"type": "string", "const": "ok"}},
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(name=name)}
