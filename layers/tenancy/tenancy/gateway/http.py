"""A request of API Gateway's REST API as a value, and answers in its format."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pybase64

from tenancy.errors import MalformedRequestError, QuotaExceededError, Refusal, UnauthenticatedError, shorten
from tenancy.gateway.context import parse_context
from tenancy.gateway.headers import AUTHORIZATION, IF_NONE_MATCH, parse_header_values
from tenancy.rules.credentials import redact_path
from tenancy.rules.durations import PREFLIGHT_MAX_AGE_SECONDS
from tenancy.rules.tenant import Caller

STAGE_PREFIX: Final = "/v1"
API_ID: Final = "{api_id}"  # in the setting: API Gateway's id of the API, which only a request tells (template.yaml)
NO_STORE: Final = "no-store"  # of Cache-Control
READ_AFTER: Final = "X-Read-After"  # of an answer to a write, and of a read that has to show it
EXPOSED_HEADERS: Final = "Retry-After, X-Request-Id, X-Next-Cursor, X-Read-After, RateLimit, RateLimit-Policy"
ALLOWED_HEADERS: Final = (
    "authorization, content-type, x-organization-id, x-read-after, idempotency-key, x-retry-count, anonymousid, sentat"
)

INSTANCE_MAX_CHARACTERS: Final = 1_000  # of the path that a problem document repeats

type Response = dict[str, Any]


class Request(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One request of a client.

    *header_values* and *query_values* have all values. The names of headers are in lower case.

    *path* is without the stage and without a trailing slash. *sent_path* has both. *route* is the path in the template,
    with names for the parameters. Only the route is logged, because a path may contain a key.
    *path_parameters* are by those names. *sent_body* is the body as the event has it, Base64 if *is_base64*. *api_id*
    is API Gateway's id of the API.

    *source_address* is the client's IP address, which is personal data. *answer_headers* are added to the answer, also
    if it is an error, and *logged* to the log line of the request.
    """

    method: str
    path: str
    sent_path: str
    route: str
    sent_headers: Mapping[str, str]
    header_values: Mapping[str, tuple[str, ...]]
    query_values: Mapping[str, tuple[str, ...]]
    path_parameters: Mapping[str, str]
    sent_body: str
    is_base64: bool
    request_id: str
    source_address: str
    authorizer: Mapping[str, str]
    api_id: str = ""
    answer_headers: dict[str, str] = {}  # msgspec copies it for each request
    logged: dict[str, object] = {}

    @property
    def headers(self) -> dict[str, str]:
        """The last value of each header, by its name in lower case."""
        return dict(zip(map(str.lower, self.sent_headers), self.sent_headers.values(), strict=True))

    @property
    def instance(self) -> str:
        """The path as sent, without credentials: answers and the audit log show it."""
        return redact_path(self.sent_path)

    def measure_body(self) -> int:
        """Return the size of the body in bytes as the client sent it. Base64 is not decoded."""
        if self.is_base64:
            return len(self.sent_body) * 3 // 4 - self.sent_body[-2:].count("=")
        return len(self.sent_body.encode(errors="surrogatepass"))

    @property
    def body(self) -> bytes:
        """The body as the client sent it.

        It is decoded at each use, first after the caller is authorized.

        Raises:
            MalformedRequestError: the event says that the body is Base64, and it is not.
        """
        if not self.is_base64:
            return self.sent_body.encode(errors="surrogatepass")
        try:
            return pybase64.b64decode(self.sent_body, validate=True)
        except ValueError as error:
            raise MalformedRequestError("The body is marked as base64 and is not valid base64.") from error

    def find_api(self, api_host: str) -> str:
        """Return host and stage of the API by the setting *api_host*.

        The request's own host may be forged.
        """
        return f"{api_host.replace(API_ID, self.api_id)}{STAGE_PREFIX}"

    def caller(self) -> Caller:
        """Return the caller that the authorizer has authenticated.

        Raises:
            UnauthenticatedError: the request has no caller, or its credential has expired, or it has several
                `Authorization` headers. The authorizer's cached answer could belong to any of those.
        """
        if len(self.header_values.get(AUTHORIZATION, ())) > 1:
            raise UnauthenticatedError
        return parse_context(self.authorizer, now=datetime.now(UTC))


def parse_request(event: Mapping[str, Any]) -> Request:
    """Return the request in a Lambda proxy *event*, its body not decoded yet. It never raises.

    It is the same for a stage, a custom domain and `sam local`.
    """
    context = event.get("requestContext") or {}
    path = event.get("path") or "/"
    return Request(
        method=event.get("httpMethod") or "",
        path=_route_path(path),
        sent_path=context.get("path") or path,
        route=event.get("resource") or "",
        sent_headers=event.get("headers") or {},
        header_values=parse_header_values(event),
        query_values=_query_values(event),
        path_parameters=event.get("pathParameters") or {},
        sent_body=str(event.get("body") or ""),
        is_base64=bool(event.get("isBase64Encoded")),
        request_id=context.get("requestId") or "",
        source_address=(context.get("identity") or {}).get("sourceIp") or "",
        authorizer=context.get("authorizer") or {},
        api_id=context.get("apiId") or "",
    )


def _route_path(path: str) -> str:
    """Return *path* without the stage and without trailing slashes.

    API Gateway routes `/events/` as `/events`, and passes on the path as it was sent.
    """
    path = path.removeprefix(STAGE_PREFIX) if path.startswith(f"{STAGE_PREFIX}/") else path
    return path.rstrip("/") or "/"


def json_answer(status: int, document: object) -> Response:
    """Return an answer with *document* as JSON."""
    return _answer(status, "application/json", msgspec.json.encode(document))


def versioned_answer(request: Request, text: str, *, version: str, max_age_seconds: int) -> Response:
    """Return the public JSON *text*, or 304 if the client has this *version* of it.

    Caches may keep the answer for *max_age_seconds*.
    """
    headers = {"ETag": f'"{version}"', "Cache-Control": f"public, max-age={max_age_seconds}"}
    if has_version(request, version):
        return {"statusCode": 304, "headers": headers, "body": "", "isBase64Encoded": False}
    response = _answer(200, "application/json", text.encode())
    response["headers"] |= headers
    return response


def has_version(request: Request, version: str) -> bool:
    """Tell whether the client has *version*: `If-None-Match` names those of the client (RFC 9110, 13.1.2)."""
    sent = ",".join(request.header_values.get(IF_NONE_MATCH, ()))
    known = {each.strip().removeprefix("W/") for each in sent.split(",")}
    return bool(known & {f'"{version}"', "*"})


def empty_answer() -> Response:
    """Return an answer without a document."""
    return {"statusCode": 204, "headers": {}, "body": "", "isBase64Encoded": False}


def problem_answer(refusal: Refusal, *, instance: str, request_id: str, upgrade_url: str | None = None) -> Response:
    """Return *refusal* as a problem document (RFC 9457).

    `code` and `message` are at the top level, because a client SDK retries a refusal without them. A used-up quota
    shows *upgrade_url*, if the platform has one. No cache keeps it: by RFC 9111 it may keep a 404 that says nothing.
    """
    document: dict[str, Any] = {
        **refusal.members,
        "type": "about:blank",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": shorten(instance, INSTANCE_MAX_CHARACTERS),
        "code": refusal.code,
        "message": refusal.detail,
        "request_id": request_id,
    }
    if upgrade_url is not None and isinstance(refusal, QuotaExceededError):
        document["upgrade_url"] = upgrade_url
    if refusal.errors:
        document["errors"] = refusal.errors
    if refusal.retry_after is not None:
        document["retry_after"] = refusal.retry_after
    response = _answer(refusal.status, "application/problem+json", msgspec.json.encode(document))
    response["headers"]["Cache-Control"] = NO_STORE
    if refusal.retry_after is not None:
        response["headers"]["Retry-After"] = str(refusal.retry_after)
    return response


def preflight_answer() -> Response:
    """Return the answer to a CORS preflight request.

    Any origin may call, because credentials travel in a header and never in a cookie.
    """
    return {
        "statusCode": 204,
        "headers": {
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_SECONDS),
        },
        "body": "",
        "isBase64Encoded": False,
    }


def _answer(status: int, content_type: str, body: bytes) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": content_type},
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def _query_values(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    many = event.get("multiValueQueryStringParameters") or {}
    one = event.get("queryStringParameters") or {}
    if not many and not one:
        return {}
    values = dict(zip(many, map(tuple, many.values()), strict=True))
    return values | {name: (one[name],) for name in one.keys() - many.keys()}
