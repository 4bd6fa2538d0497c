"""The worst inputs of every route: where the route takes a text, a list or a document."""

import base64
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from tenancy.gateway.resolver import MAX_BODY_BYTES, MAX_PUBLIC_BODY_BYTES
from tests.cost.worst_batches import CLOUD_EVENTS, EVENTS, SEGMENT_BATCH, SEGMENT_CALL, WorstBatches
from tests.cost.worst_texts import JSON, TEXTS, Fill, names
from tests.isolation.proof.attack.calls import GZIP_MAGIC, Call, document_in, with_document
from tests.isolation.proof.attack.gateway import GatewayRequest

HEAD_BYTES = 8_000  # API Gateway takes 10,240 bytes of headers and path
SMALL_BYTES = 10_000
BODY_BYTES = 60_000  # enough to find quadratic time
BATCH_BYTES = 250_000

type Inputs = Iterator[tuple[str, GatewayRequest]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """The input of a route: texts in the *query* and in the *body* (by member), or a *batch* of events.

    *is_alias*: another route has the same code, and its inputs are measured. A few are enough here. The same holds for
    parameters with the same name.
    """

    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    batch: WorstBatches | None = None
    is_alias: bool = False


SOME_TEXTS = ("combining marks", "digits", "commas")
SOME_BODIES = ("JSON: halves of surrogates", "names: combining marks", "write keys", "gzip tail")
PERIOD = ("from", "to")
PAGE = ("cursor", "limit")
AUDIT = Takes(query=(*PERIOD, "actor", "action", "outcome", "format", "cursor", "limit"))
STATISTICS = Takes(query=(*PERIOD, "timezone", "group_by", "app_id", "order_by", *PAGE))
VERIFY = Takes(query=("after_sequence", "after_seal"))
NOTHING = Takes()
ORGANIZATION = "/organizations/{organization_id}"
CALL_ALIASES = ("t", "identify", "i", "page", "p", "screen", "s", "group", "g", "alias", "a")
# A new route needs a line here.
TAKEN: Mapping[str, Takes] = {
    "POST /organizations": Takes(body=("name", "subdomain", "admin_email", "admin_password", "tier")),
    "GET /organizations": Takes(query=("status", "tier", "cursor", "limit")),
    f"GET {ORGANIZATION}": NOTHING,
    f"PATCH {ORGANIZATION}": Takes(body=("name", "tier", "status", "overrides")),
    f"DELETE {ORGANIZATION}": Takes(body=("reason",)),
    f"POST {ORGANIZATION}/restore": NOTHING,
    f"GET {ORGANIZATION}/deletion-certificate": NOTHING,
    f"GET {ORGANIZATION}/held-events": NOTHING,
    f"POST {ORGANIZATION}/held-events/release": NOTHING,
    f"GET {ORGANIZATION}/usage": Takes(query=(*PERIOD, *PAGE)),
    f"GET {ORGANIZATION}/dead-letters": Takes(query=PAGE),
    f"POST {ORGANIZATION}/dead-letters/redrive": NOTHING,
    "GET /compliance/report": Takes(query=(*PERIOD, "format"), is_alias=True),
    f"GET {ORGANIZATION}/compliance/report": Takes(query=(*PERIOD, "format")),
    f"GET {ORGANIZATION}/audit": replace(AUDIT, is_alias=True),
    f"GET {ORGANIZATION}/audit/verify": replace(VERIFY, is_alias=True),
    "GET /audit": AUDIT,
    "GET /audit/verify": VERIFY,
    "GET /organizations/current": NOTHING,
    "GET /usage": Takes(query=(*PERIOD, *PAGE)),
    "GET /stats": STATISTICS,
    f"GET {ORGANIZATION}/stats": replace(STATISTICS, is_alias=True),
    "GET /events": Takes(query=(*PERIOD, "event_type", "event_name", "device_id", "app_id", "order", *PAGE)),
    "POST /events/trace": Takes(body=("ids",)),
    "POST /usage/{metric}": Takes(body=("amount",)),
    "POST /usage/{metric}/reservations": Takes(body=("amount", "ttl_seconds")),
    "POST /usage/{metric}/reservations/{reservation_id}/commit": Takes(body=("amount",)),
    "DELETE /usage/{metric}/reservations/{reservation_id}": NOTHING,
    "POST /auth/token": Takes(body=("email", "password", "organization")),
    "POST /auth/refresh": Takes(body=("refresh_token",)),
    "POST /auth/logout": Takes(body=("refresh_token",)),
    "POST /auth/logout-all": NOTHING,
    "GET /me": NOTHING,
    "PATCH /me": Takes(body=("name", "password", "current_password")),
    "POST /users/accept": Takes(body=("token", "password", "name")),
    "POST /auth/password-reset": Takes(body=("email", "organization")),
    "POST /auth/password-reset/confirm": Takes(body=("token", "password")),
    "GET /users": Takes(query=PAGE),
    "POST /users": Takes(body=("email", "role")),
    "PATCH /users/{user_id}": Takes(body=("role", "status")),
    "DELETE /users/{user_id}": NOTHING,
    "POST /users/{user_id}/invitation": NOTHING,
    f"GET {ORGANIZATION}/users": Takes(query=PAGE, is_alias=True),
    f"DELETE {ORGANIZATION}/users/{{user_id}}": NOTHING,
    f"POST {ORGANIZATION}/users/{{user_id}}/invitation": NOTHING,
    "POST /exports": NOTHING,
    "GET /exports": Takes(query=PAGE),
    "GET /exports/{export_id}": Takes(query=PAGE),
    "GET /erasures": Takes(query=PAGE),
    "POST /erasures": Takes(body=("device_id", "user_id")),
    "GET /erasures/{erasure_id}": NOTHING,
    "GET /apps": Takes(query=PAGE),
    "POST /apps": Takes(body=("name", "platform")),
    "PATCH /apps/{app_id}": Takes(body=("name", "platform")),
    "DELETE /apps/{app_id}": NOTHING,
    "GET /sso": NOTHING,
    "PUT /sso": Takes(body=("issuer", "client_id", "client_secret", "default_role", "redirect_uris")),
    "DELETE /sso": NOTHING,
    "GET /auth/sso/start": Takes(query=("redirect_uri", "organization", "email", "code_challenge")),
    "GET /auth/sso/callback/{organization_id}": Takes(query=("state", "code", "iss", "error")),
    "POST /auth/sso/acs": NOTHING,  # its form is bounded before it is parsed
    "GET /auth/sso/finish": Takes(query=("token",)),
    "GET /auth/sso/metadata": Takes(query=("organization",)),
    "POST /auth/sso/token": Takes(body=("code", "code_verifier")),
    "GET /domains": Takes(query=PAGE),
    "POST /domains": Takes(body=("domain",)),
    "GET /domains/{domain}": NOTHING,
    "POST /domains/{domain}/verify": NOTHING,
    "DELETE /domains/{domain}": NOTHING,
    "GET /sso/email-domains": Takes(query=PAGE),
    "POST /sso/email-domains": Takes(body=("domain",)),
    "POST /sso/email-domains/{domain}/verify": NOTHING,
    "DELETE /sso/email-domains/{domain}": NOTHING,
    "GET /branding": Takes(query=("organization",)),
    "GET /branding/images/{organization_id}/{digest}": NOTHING,
    "GET /branding/settings": NOTHING,
    "PUT /branding": Takes(body=("primary_color", "css_variables", "sender_name", "sender_address")),
    "GET /keys": Takes(query=PAGE),
    "POST /keys": Takes(body=("type", "name", "app_id", "scopes", "expires_at")),
    "POST /keys/{key_id}/rotate": Takes(body=("overlap_seconds",)),
    "DELETE /keys/{key_id}": NOTHING,
    "PATCH /organizations/current": Takes(body=("key_rotation_days",)),
    f"GET {ORGANIZATION}/keys": Takes(query=PAGE, is_alias=True),
    f"DELETE {ORGANIZATION}/keys/{{key_id}}": NOTHING,
    "GET /platform-keys": Takes(query=PAGE),
    "POST /platform-keys": Takes(body=("name", "expires_at")),
    "POST /platform-keys/{platform_key_id}/rotate": Takes(body=("overlap_seconds",), is_alias=True),
    "DELETE /platform-keys/{platform_key_id}": NOTHING,
    "GET /health": NOTHING,
    "GET /openapi.json": NOTHING,
    "GET /console": NOTHING,
    "GET /console/{file}": NOTHING,
    "GET /.well-known/jwks.json": NOTHING,
    "GET /.well-known/openid-configuration": NOTHING,
    "POST /events": Takes(batch=EVENTS),
    "POST /cloudevents": Takes(batch=CLOUD_EVENTS),
    "POST /api/v1/events": Takes(batch=CLOUD_EVENTS, is_alias=True),
    "GET /projects/{writeKey}/settings": NOTHING,
    "POST /batch": Takes(batch=SEGMENT_BATCH),
    "POST /track": Takes(batch=SEGMENT_CALL),
    **{f"POST /{path}": Takes(batch=SEGMENT_BATCH, is_alias=True) for path in ("b", "import")},
    **{f"POST /{path}": Takes(batch=SEGMENT_CALL, is_alias=True) for path in CALL_ALIASES},
}


def plain_head(request: GatewayRequest) -> GatewayRequest:
    """Return *request* with as many bytes in its head as the worst ones."""
    return replace(request, headers=(*request.headers, ("User-Agent", "x" * HEAD_BYTES)))


def plain_parameters(request: GatewayRequest) -> Iterator[GatewayRequest]:
    """Yield *request* with each path parameter as long as the worst ones, in ordinary letters."""
    return (_with_parameter(request, parameter, "x" * HEAD_BYTES) for parameter in request.parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainBody:
    """An ordinary body of about *size* bytes for routes with one *source* of bodies: a batch, or the route itself."""

    source: WorstBatches | str
    size: int
    is_compressed: bool

    @classmethod
    def like(cls, request: GatewayRequest, taken: Takes) -> "PlainBody":
        """Return the counterpart of the body of *request*: at most as many bytes, compressed if that is.

        The bytes are rounded down to a power of two, so that many worst bodies have the same counterpart.
        """
        return cls(
            source=taken.batch or request.route.name,
            size=min(1 << len(request.body).bit_length() - 1, largest_body(request)),
            is_compressed=request.body.startswith(GZIP_MAGIC) and taken.batch is not None and taken.batch.is_list,
        )

    def of(self, request: GatewayRequest) -> GatewayRequest:
        """Return *request* with this body."""
        if isinstance(self.source, str):
            return replace(request, body=(request.body or b"{}").ljust(self.size))
        build = self.source.plain_gzip if self.is_compressed else self.source.plain
        return replace(request, body=build(self.size))


def largest_body(request: GatewayRequest) -> int:
    """Return the size of the largest body that the route takes."""
    is_public = request.route.path.startswith(("/auth/", "/users/")) and not request.route.has_authorizer
    return MAX_PUBLIC_BODY_BYTES if is_public else MAX_BODY_BYTES


def worst_parameters(request: GatewayRequest, taken: Takes, measured: Collection[str]) -> Inputs:
    """Yield requests with the worst query members and path parameters.

    The *measured* ones had all texts on another route.
    """
    for name, fill in TEXTS.items():
        text = fill(HEAD_BYTES)
        for member in taken.query:
            if name in SOME_TEXTS or not (taken.is_alias or member in measured):
                yield f"query {member}: {name}", replace(request, query=((member, text),))
        for parameter in request.parameters:
            if name in SOME_TEXTS or not (taken.is_alias or parameter in measured):
                yield f"path {parameter}: {name}", _with_parameter(request, parameter, text)


def worst_headers(request: GatewayRequest) -> Inputs:
    """Yield requests with the worst headers and queries, which all routes of a function read in the same way."""
    for name, fill in TEXTS.items():
        text = fill(HEAD_BYTES)
        yield f"host: {name}", _with_headers(request, ("X-Forwarded-Host", text))
        if name in SOME_TEXTS:
            yield f"id: {name}", _with_headers(request, ("X-Organization-ID", text))
            yield f"key: {name}", _with_headers(request, ("Idempotency-Key", text))
    hosts, spellings = names(HEAD_BYTES), _spellings("x-organization-id", HEAD_BYTES)
    yield "many hosts", _with_headers(request, ("X-Forwarded-Host", ",".join(hosts)))
    domains = [f"{name}.example" for name in hosts]
    yield "many domains", _with_headers(request, ("X-Forwarded-Host", ",".join(domains)[:HEAD_BYTES]))
    yield "many ids", _with_headers(request, *(("X-Organization-ID", host) for host in hosts))
    yield "spellings of a header", _with_headers(request, *((name, name) for name in spellings))
    yield "many query members", replace(request, query=tuple((name, "1") for name in hosts))
    yield "one query member many times", replace(request, query=tuple(("from", name) for name in hosts))
    yield "many ids in the query", replace(request, query=tuple(("organization_id", name) for name in hosts))


def worst_credentials(request: GatewayRequest) -> Inputs:
    """Yield requests with the worst `Authorization` headers."""
    kept = replace(request, headers=tuple(pair for pair in request.headers if pair[0] != "Authorization"))
    for name, fill in TEXTS.items():
        for scheme in ("Bearer", "Basic", "x"):
            yield f"{scheme} {name}", _with_headers(kept, ("Authorization", f"{scheme} {fill(HEAD_BYTES)}"))
    for name, fill in JSON.items():
        header = base64.urlsafe_b64encode(fill(HEAD_BYTES * 2 // 3).encode(errors="replace")).decode().rstrip("=")
        yield f"token with {name}", _with_headers(kept, ("Authorization", f"Bearer {header}.e30.e30"))
    yield "dots", _with_headers(kept, ("Authorization", "Bearer " + "a." * (HEAD_BYTES // 2)))
    yield "many credentials", _with_headers(kept, *(("Authorization", name) for name in names(HEAD_BYTES)))


def worst_bodies(request: GatewayRequest, call: Call, taken: Takes) -> Inputs:
    """Yield requests with the worst bodies."""
    if taken.batch is not None:
        many = {} if taken.is_alias else taken.batch.many_small()
        yield from ((name, replace(request, body=build(BATCH_BYTES))) for name, build in many.items())
        yield from unread_bodies(request, taken)
    for name, fill in JSON.items() if taken.body else ():
        for size in (SMALL_BYTES, BODY_BYTES):
            yield f"{size} bytes of {name}", replace(request, body=fill(size).encode(errors="surrogateescape"))
    for member in taken.body:
        for name, fill in TEXTS.items():
            for size in (240, BODY_BYTES):
                yield f"{size} bytes of {member}: {name}", _with_text(request, call, member, fill, size)


def unread_bodies(request: GatewayRequest, taken: Takes) -> Inputs:
    """Yield requests with the worst bodies for a batch, of which only the size matters before they are parsed."""
    for name, build in taken.batch.large().items() if taken.batch is not None else ():
        if name in SOME_BODIES or not taken.is_alias:
            yield name, replace(request, body=build(BATCH_BYTES))


def _with_text(request: GatewayRequest, call: Call, member: str, fill: Fill, size: int) -> GatewayRequest:
    document = document_in(request) or {}
    return with_document(request, replace(call, is_compressed=False), {**document, member: fill(size)})


def _with_headers(request: GatewayRequest, *headers: tuple[str, str]) -> GatewayRequest:
    return replace(request, headers=(*request.headers, *headers))


def _with_parameter(request: GatewayRequest, name: str, text: str) -> GatewayRequest:
    return replace(request, parameters={**request.parameters, name: text[: HEAD_BYTES // 9]})


def _spellings(name: str, size: int) -> list[str]:
    """Return spellings of a header's name in upper and lower case."""
    letters = [place for place, letter in enumerate(name) if letter.isalpha()]
    spelled = []
    for number in range(1, size // (2 * len(name))):
        changed = {place for bit, place in enumerate(letters) if number >> bit & 1}
        spelled.append("".join(each.upper() if place in changed else each for place, each in enumerate(name)))
    return spelled
