"""Every place of a request in which an attacker can name another organization."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tenancy.rules.api_keys import KEY
from tests.handlers.functions import BASE_DOMAIN
from tests.isolation.proof.attack.calls import Call, document_in, row_value, with_document
from tests.isolation.proof.attack.gateway import Request
from tests.isolation.proof.proof_data import Named

HEADER = "X-Organization-ID"
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

type Place = Callable[[Request, Call, Named, Named], Request | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where another organization is named; *is_refused*: whoever is somebody else's is refused for it.

    *place* gets the request, its call, the caller's own organization and the named one; None where it does not apply.
    """

    name: str
    place: Place
    is_refused: bool


PLACEMENTS: list[Placement] = []


def placement(name: str, *, is_refused: bool) -> Callable[[Place], Place]:
    """Add a placement."""

    def add(place: Place) -> Place:
        PLACEMENTS.append(Placement(name=name, place=place, is_refused=is_refused))
        return place

    return add


@placement("path", is_refused=True)
def path(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    parameters = {
        name: row_value(name, named) or _unless_key(value, named) for name, value in request.parameters.items()
    }
    return replace(request, parameters=parameters) if parameters != request.parameters else None


@placement("query", is_refused=True)
def query(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    return _with_query(request, "organization_id", str(named.organization_id))


@placement("query, own first", is_refused=True)
def second_query(request: Request, _call: Call, own: Named, named: Named) -> Request | None:
    twice = _with_query(request, "organization_id", str(own.organization_id))
    return replace(twice, query=(*twice.query, ("organization_id", str(named.organization_id))))


@placement("body", is_refused=True)
def body(request: Request, call: Call, _own: Named, named: Named) -> Request | None:
    document = document_in(request)
    if not isinstance(document, dict):
        return None
    return with_document(request, call, {**document, "organization_id": str(named.organization_id)})


@placement("inside the body", is_refused=True)
def inner_body(request: Request, call: Call, _own: Named, named: Named) -> Request | None:
    """Name it in each object of each list."""
    document = document_in(request)
    lists = [name for name, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
    if not lists:
        return None
    mark = {"organization_id": str(named.organization_id)}
    changed = {name: [{**item, **mark} for item in document[name]] for name in lists}
    return with_document(request, call, {**document, **changed})


@placement("key in the body", is_refused=False)
def key_in_body(request: Request, call: Call, _own: Named, named: Named) -> Request | None:
    """Another's write key beside the own credential; without one the key is the credential."""
    document = document_in(request)
    if not isinstance(document, dict) or "authorization" not in {name.lower() for name, _ in request.headers}:
        return None
    return with_document(request, call, {**document, "writeKey": named.write_key.text})


@placement("header", is_refused=True)
def header(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    return _with_header(request, HEADER, str(named.organization_id))


@placement("header, own first", is_refused=True)
def second_header(request: Request, _call: Call, own: Named, named: Named) -> Request | None:
    return _with_header(_with_header(request, HEADER, str(own.organization_id)), HEADER, str(named.organization_id))


@placement("header, own last", is_refused=True)
def first_header(request: Request, _call: Call, own: Named, named: Named) -> Request | None:
    return _with_header(
        _with_header(request, HEADER.lower(), str(named.organization_id)), HEADER.upper(), str(own.organization_id)
    )


@placement("host", is_refused=True)
def host(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    return _with_host(request, f"{named.subdomain}.{BASE_DOMAIN}")


@placement("host with a port", is_refused=True)
def host_with_port(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    return _with_host(request, f"{named.subdomain}.{BASE_DOMAIN}:443")


@placement("host with a final dot", is_refused=True)
def host_with_dot(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    return _with_host(request, f"{named.subdomain}.{BASE_DOMAIN}.".upper())


@placement("forwarded host", is_refused=True)
def forwarded_host(request: Request, _call: Call, _own: Named, named: Named) -> Request | None:
    return _with_header(request, "X-Forwarded-Host", f"{named.subdomain}.{BASE_DOMAIN}")


@placement("cursor", is_refused=False)
def cursor(request: Request, call: Call, _own: Named, named: Named) -> Request | None:
    """A cursor of another's list; nobody's is the same one with other ids."""
    found = named.cursors.get(call.name)
    return _with_query(request, "cursor", found) if found else None


@placement("idempotency key", is_refused=False)
def idempotency_key(request: Request, call: Call, _own: Named, named: Named) -> Request | None:
    if call.route.method in {"GET", "OPTIONS"}:
        return None
    return _with_header(request, "Idempotency-Key", f"key-of-{named.organization_id}")


def _unless_key(value: str, named: Named) -> str:
    """Leave a word of the path as it is; what stands for a key names the other organization."""
    return str(named.organization_id) if KEY.fullmatch(value) or UUIDS.fullmatch(value) else value


def nobodys_cursor(cursor: str) -> str:
    """Return *cursor* with ids of nothing."""
    try:
        text = base64.urlsafe_b64decode(cursor).decode()
    except (binascii.Error, UnicodeDecodeError):
        return cursor
    return base64.urlsafe_b64encode(UUIDS.sub(lambda found: "0" * 8 + found[0][8:], text).encode()).decode()


def _with_query(request: Request, name: str, value: str) -> Request:
    kept = tuple(pair for pair in request.query if pair[0] != name)
    return replace(request, query=(*kept, (name, value)))


def _with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers=(*request.headers, (name, value)))


def _with_host(request: Request, value: str) -> Request:
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "host")
    return replace(request, headers=(*kept, ("Host", value)))


def supplied(named: Named, call: Call) -> dict[str, Any]:
    """Return the texts by which a request names *named*, and the marks that an answer is compared by."""
    texts = dict.fromkeys(named.rows.values(), "<row>")
    texts |= {str(named.organization_id): "<organization>", named.subdomain: "<subdomain>"}
    texts |= {named.write_key.text: "<key>"}
    if call.name in named.cursors:
        texts[named.cursors[call.name]] = "<cursor>"
    return texts
