"""Injection points: the places of a request that can name another organization."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace

from tenancy.gateway.session_cookie import HOST_COOKIE
from tenancy.rules.keys.api_keys import CHECKSUM_CHARACTERS, KEY, checksum_of
from tests.handlers.functions import BASE_DOMAIN
from tests.isolation.proof.attack.calls import Call, document_in, parameter_for, query_of, with_document
from tests.isolation.proof.attack.gateway import GatewayRequest
from tests.isolation.proof.normalization import UUIDS
from tests.isolation.proof.proof_data import ProofOrganization

HEADER = "X-Organization-ID"

type Inject = Callable[[Attempt], GatewayRequest | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A request of the organization *own* that is to name the organization *named*."""

    request: GatewayRequest
    call: Call
    own: ProofOrganization
    named: ProofOrganization

    @property
    def own_id(self) -> str:
        return str(self.own.organization_id)

    @property
    def named_id(self) -> str:
        return str(self.named.organization_id)

    @property
    def named_host(self) -> str:
        return f"{self.named.subdomain}.{BASE_DOMAIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionPoint:
    """One place of a request.

    *is_refused*: a request that names a foreign organization there must be refused.
    *is_existence_public*: anyone may know that the named organization exists: DNS shows its custom domain.
    *inject* returns the changed request, or None if the call has no such place.
    """

    name: str
    inject: Inject
    is_refused: bool
    is_existence_public: bool = False


INJECTION_POINTS: list[InjectionPoint] = []


def injection_point(name: str, *, is_refused: bool, is_existence_public: bool = False) -> Callable[[Inject], Inject]:
    """Register a function as an injection point."""

    def register(inject: Inject) -> Inject:
        point = InjectionPoint(name=name, inject=inject, is_refused=is_refused, is_existence_public=is_existence_public)
        INJECTION_POINTS.append(point)
        return inject

    return register


@injection_point("path", is_refused=True)
def path(attempt: Attempt) -> GatewayRequest | None:
    """Replace ids and keys in the path, and keep other texts."""
    parameters = {}
    for name, value in attempt.request.parameters.items():
        is_identifier = KEY.fullmatch(value) or UUIDS.fullmatch(value)
        parameters[name] = parameter_for(name, attempt.named) or (attempt.named_id if is_identifier else value)
    return replace(attempt.request, parameters=parameters) if parameters != attempt.request.parameters else None


@injection_point("query", is_refused=True)
def query(attempt: Attempt) -> GatewayRequest:
    return _with_query(attempt.request, "organization_id", attempt.named_id)


@injection_point("query, own first", is_refused=True)
def second_query(attempt: Attempt) -> GatewayRequest:
    first = _with_query(attempt.request, "organization_id", attempt.own_id)
    return replace(first, query=(*first.query, ("organization_id", attempt.named_id)))


@injection_point("body", is_refused=True)
def body(attempt: Attempt) -> GatewayRequest | None:
    document = document_in(attempt.request)
    if not isinstance(document, dict):
        return None
    return with_document(attempt.request, attempt.call, {**document, "organization_id": attempt.named_id})


@injection_point("inside the body", is_refused=True)
def inner_body(attempt: Attempt) -> GatewayRequest | None:
    """Name the organization in each object of each list of objects, also if the body is a list."""
    document = document_in(attempt.request)
    member = {"organization_id": attempt.named_id}
    if isinstance(document, list):
        return with_document(attempt.request, attempt.call, [{**item, **member} for item in document])
    members = document if isinstance(document, dict) else {}
    lists = [
        name
        for name, value in members.items()
        if isinstance(value, list) and all(isinstance(item, dict) for item in value)
    ]
    if not lists:
        return None
    changed = {name: [{**item, **member} for item in document[name]] for name in lists}
    return with_document(attempt.request, attempt.call, {**document, **changed})


@injection_point("key in the body", is_refused=False)
def key_in_body(attempt: Attempt) -> GatewayRequest | None:
    """Send another write key beside the credential, because alone it would be one."""
    document = document_in(attempt.request)
    if not isinstance(document, dict) or not attempt.request.has_authorization:
        return None
    return with_document(attempt.request, attempt.call, {**document, "writeKey": attempt.named.write_key.text})


@injection_point("id in a token", is_refused=True)
def id_in_token(attempt: Attempt) -> GatewayRequest | None:
    """Send the own token with the id of the named organization, and a right checksum."""
    document = document_in(attempt.request)
    name = next((each for each in ("refresh_token", "token") if isinstance(document, dict) and each in document), None)
    if name is None:
        return None
    text = document[name]
    forged = text[:-CHECKSUM_CHARACTERS].replace(attempt.own.organization_id.hex, attempt.named.organization_id.hex)
    token = forged + checksum_of(forged)
    return with_document(attempt.request, attempt.call, {**document, name: token})


@injection_point("cookie", is_refused=False)
def cookie(attempt: Attempt) -> GatewayRequest:
    """Send the cookie of the named organization's session.

    Only requests with X-Console use it.
    """
    return _with_header(attempt.request, "Cookie", f"{HOST_COOKIE}={attempt.named.refresh_token}")


@injection_point("header", is_refused=True)
def header(attempt: Attempt) -> GatewayRequest:
    return _with_header(attempt.request, HEADER, attempt.named_id)


@injection_point("header, own first", is_refused=True)
def second_header(attempt: Attempt) -> GatewayRequest:
    first = _with_header(attempt.request, HEADER, attempt.own_id)
    return _with_header(first, HEADER, attempt.named_id)


@injection_point("header, own last", is_refused=True)
def first_header(attempt: Attempt) -> GatewayRequest:
    first = _with_header(attempt.request, HEADER.lower(), attempt.named_id)
    return _with_header(first, HEADER.upper(), attempt.own_id)


@injection_point("host", is_refused=True)
def host(attempt: Attempt) -> GatewayRequest:
    return _with_host(attempt.request, attempt.named_host)


@injection_point("host with a port", is_refused=True)
def host_with_port(attempt: Attempt) -> GatewayRequest:
    return _with_host(attempt.request, f"{attempt.named_host}:443")


@injection_point("host with a final dot", is_refused=True)
def host_with_dot(attempt: Attempt) -> GatewayRequest:
    return _with_host(attempt.request, f"{attempt.named_host}.".upper())


@injection_point("forwarded host", is_refused=True)
def forwarded_host(attempt: Attempt) -> GatewayRequest:
    return _with_header(attempt.request, "X-Forwarded-Host", attempt.named_host)


@injection_point("custom domain", is_refused=True, is_existence_public=True)
def custom_domain(attempt: Attempt) -> GatewayRequest:
    return _with_host(attempt.request, attempt.named.custom_host)


@injection_point("custom domain in another spelling", is_refused=True, is_existence_public=True)
def spelled_custom_domain(attempt: Attempt) -> GatewayRequest:
    return _with_host(attempt.request, f"{attempt.named.custom_host}.:443".upper())


@injection_point("forwarded custom domain", is_refused=True, is_existence_public=True)
def forwarded_custom_domain(attempt: Attempt) -> GatewayRequest:
    """Forward the named organization's custom domain after the own one."""
    own = _with_host(attempt.request, attempt.own.custom_host)
    return _with_header(own, "X-Forwarded-Host", f"{attempt.own.custom_host}, {attempt.named.custom_host}")


@injection_point("ids of rows in the query", is_refused=False)
def row_ids_in_query(attempt: Attempt) -> GatewayRequest | None:
    """Replace ids of rows in the query of the sample.

    A filter by another organization's row must give the same answer as a filter by an unknown row.
    """
    changed = replace(attempt.request, query=query_of(attempt.request.query, attempt.named))
    return changed if changed != attempt.request else None


@injection_point("cursor", is_refused=True)
def cursor(attempt: Attempt) -> GatewayRequest | None:
    """Send a cursor of the named organization's list."""
    found = attempt.named.cursors.get(attempt.call.name)
    return _with_query(attempt.request, "cursor", found) if found else None


@injection_point("idempotency key", is_refused=False)
def idempotency_key(attempt: Attempt) -> GatewayRequest | None:
    if attempt.call.route.method in {"GET", "OPTIONS"}:
        return None
    return _with_header(attempt.request, "Idempotency-Key", f"key-of-{attempt.named_id}")


def cursor_with_unknown_ids(cursor: str) -> str:
    """Return *cursor* with ids that do not exist."""
    text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("latin-1")
    unknown = UUIDS.sub(lambda found: "0" * 8 + found[0][8:], text).encode("latin-1")
    return base64.urlsafe_b64encode(unknown).decode().rstrip("=")


def placeholders_for(named: ProofOrganization, call: Call) -> dict[str, str]:
    """Return placeholders for the texts by which a request can name the organization."""
    placeholders = dict.fromkeys(named.row_ids.values(), "<row>")
    placeholders |= {str(named.organization_id): "<organization>", named.subdomain: "<subdomain>"}
    placeholders |= {named.write_key.text: "<key>", named.domain: "<domain>"}
    if call.name in named.cursors:
        placeholders[named.cursors[call.name]] = "<cursor>"
    return placeholders


def _with_query(request: GatewayRequest, name: str, value: str) -> GatewayRequest:
    kept = tuple(pair for pair in request.query if pair[0] != name)
    return replace(request, query=(*kept, (name, value)))


def _with_header(request: GatewayRequest, name: str, value: str) -> GatewayRequest:
    return replace(request, headers=(*request.headers, (name, value)))


def _with_host(request: GatewayRequest, value: str) -> GatewayRequest:
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "host")
    return replace(request, headers=(*kept, ("Host", value)))
