"""Calls of every route, made from the sample events and adapted to the caller."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tenancy.gateway.forms import FORM_TYPE
from tenancy.rules.keys.api_keys import KEY
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.people.opaque_tokens import OPAQUE_TOKEN
from tests.given import ROOT
from tests.handlers.functions import BASE_DOMAIN
from tests.isolation.proof.attack.gateway import GatewayRequest, GatewayResponse, LocalGateway
from tests.isolation.proof.discovery.deployment import Route
from tests.isolation.proof.normalization import TIMESTAMP
from tests.isolation.proof.proof_data import Credential, ProofOrganization

DATE = re.compile(r"\d{4}-\d\d-\d\d")
ROW_ID = re.compile(r"(\w+)_id")  # a path parameter for the id of a row
DOMAIN = "domain"  # a path parameter for an e-mail domain
IDS_OF_THE_PLATFORM = {"platform_key_id"}  # of rows that belong to no organization. The sample has an id.
NOW = datetime.now(UTC)  # the same for all, so that requests of two organizations differ only in their caller
ENDS_OF_SSO = ("/auth/sso/callback/{organization_id}", "/auth/sso/finish")  # the browser comes with its cookie
SAMPLE_ISSUER = "https://idp.localhost"
SAMPLE_EMAIL = "ada@acme.example"  # of a member that logs in
OF_SAMPLES = frozenset({SAMPLE_EMAIL, "0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10"})
GZIP_MAGIC = b"\x1f\x8b"
JSON_TYPE = "application/json"
SUCCEEDED_PLACES: dict[tuple[str, int], int] = {}  # of calls, by their route and number of candidates
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A route with the query, document, content type and path parameters of a *sample* event.

    *is_borrowed*: the sample is that of another route of the same function.
    """

    route: Route
    sample: str = ""
    is_borrowed: bool = False
    query: tuple[tuple[str, str], ...] = ()
    document: Any = None
    is_compressed: bool = False
    content_type: str = JSON_TYPE
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.route.name} ({self.sample})" if self.sample else self.route.name


@cache
def discover_calls(route: Route) -> list[Call]:
    """Return a call for each sample event of *route*.

    A route without samples borrows those of its function with the same method.
    """
    if route.method == "OPTIONS":
        return [Call(route=route)]
    files = sorted((ROOT / "events" / route.function).iterdir())
    samples = {file.stem: json.loads(file.read_text()) for file in files}
    of_method = {name: each for name, each in samples.items() if each.get("httpMethod") == route.method}
    of_route = {name: each for name, each in of_method.items() if each.get("resource") == route.path}
    is_borrowed = not of_route and route.method in METHODS_WITH_BODY
    chosen = of_method if is_borrowed else of_route
    calls = [_call(route, name, sample) for name, sample in chosen.items()]
    return [replace(call, is_borrowed=is_borrowed) for call in calls] or [Call(route=route)]


def find_successful_call(
    gateway: LocalGateway, route: Route, credentials: Iterable[Credential], own: ProofOrganization
) -> tuple[Call, Credential] | None:
    """Return a call of *route* that succeeds with one of *credentials*, and which.

    A search tries the place where an earlier search succeeded before all others.
    """
    candidates = list(enumerate(product(discover_calls(route), credentials)))
    search = (route.name, len(candidates))
    for place, (call, credential) in sorted(candidates, key=lambda each: each[0] != SUCCEEDED_PLACES.get(search)):
        if send_in_any_status(gateway, request_for(call, credential, own), credential).is_success:
            SUCCEEDED_PLACES[search] = place
            return call, credential
    return None


def send_in_any_status(gateway: LocalGateway, request: GatewayRequest, credential: Credential) -> GatewayResponse:
    """Return the response.

    For the operator try every status of the organization until the call succeeds.
    """
    gateway.state.restore_rows()
    response = gateway.send(request)
    if credential.is_operator and not response.is_success:
        for status in OrganizationStatus:
            gateway.state.set_status(status)
            response = response if response.is_success else gateway.send(request)
        gateway.state.set_status(OrganizationStatus.ACTIVE)
    return response


def request_for(call: Call, credential: Credential, own: ProofOrganization) -> GatewayRequest:
    """Return *call* as *credential* makes it for its own organization, at the platform's host."""
    headers = [("Host", f"api.{BASE_DOMAIN}"), ("Content-Type", call.content_type)]
    if call.route.path in ENDS_OF_SSO and own.sso_cookie:
        headers.append(("Cookie", own.sso_cookie))
    if credential.authorization is not None:
        headers.append(("Authorization", credential.authorization))
    samples = dict(call.parameters)
    parameters = {name: _own_parameter(name, credential, own, samples.get(name)) for name in call.route.parameters}
    query = query_of(call.query, own)
    request = GatewayRequest(route=call.route, parameters=parameters, headers=tuple(headers), query=query)
    return with_document(request, call, _map_texts(call.document, lambda text: _adapted(text, credential, own)))


def with_document(request: GatewayRequest, call: Call, document: object) -> GatewayRequest:
    """Return *request* with *document* as its body, compressed if the sample is."""
    if document is None:
        return request
    body = json.dumps(document).encode()
    if call.content_type == FORM_TYPE and isinstance(document, dict):
        body = urlencode(document).encode()
    return replace(request, body=gzip.compress(body, mtime=0) if call.is_compressed else body)


def document_in(request: GatewayRequest) -> Any:  # noqa: ANN401 - JSON
    """Return a copy of the document in the body, None without one."""
    body = gzip.decompress(request.body) if request.body.startswith(GZIP_MAGIC) else request.body
    is_form = FORM_TYPE in {value for name, value in request.headers if name == "Content-Type"}
    return None if not body else dict(parse_qsl(body.decode())) if is_form else json.loads(body)


def parameter_for(name: str, organization: ProofOrganization) -> str | None:
    """Return the id that the parameter *name* stands for: the organization's or a row's, or its e-mail domain."""
    if name == DOMAIN:
        return organization.domain
    found = ROW_ID.fullmatch(name)
    if found is None or name in IDS_OF_THE_PLATFORM:
        return None
    tables = [table for table in organization.row_ids if f"_{table}".endswith(f"_{found[1]}s")]
    is_organization = name == "organization_id" or not tables
    return str(organization.organization_id) if is_organization else organization.row_ids[tables[0]]


def query_of(query: tuple[tuple[str, str], ...], organization: ProofOrganization) -> tuple[tuple[str, str], ...]:
    """Return *query* with the ids of the organization's rows."""
    return tuple((name, parameter_for(name, organization) or _own_value(value, organization)) for name, value in query)


def _own_value(value: str, organization: ProofOrganization) -> str:
    """Return *value* of a sample's query, or the organization's own state or id in its place."""
    own = organization.one_time_tokens.get(value, value)
    return str(organization.organization_id) if own in OF_SAMPLES - {SAMPLE_EMAIL} else own


def _own_parameter(name: str, credential: Credential, own: ProofOrganization, sample: str | None) -> str:
    """Return the value of a path parameter: own id, else sample, else the caller's key."""
    value = parameter_for(name, own) or (None if sample is None or KEY.fullmatch(sample) else sample)
    if value is None:
        value = credential.key.text if credential.key else str(own.organization_id)
    return value


def _call(route: Route, name: str, sample: dict[str, Any]) -> Call:
    body = sample.get("body") or ""
    raw = base64.b64decode(body) if sample.get("isBase64Encoded") else body.encode()
    is_compressed = raw.startswith(GZIP_MAGIC)
    text = gzip.decompress(raw) if is_compressed else raw
    query = sorted((sample.get("queryStringParameters") or {}).items())
    dates = sorted(value for _, value in query if DATE.fullmatch(value))
    content_type = (sample.get("headers") or {}).get("Content-Type", JSON_TYPE)
    return Call(
        route=route,
        sample=name,
        query=tuple((name, _recent(value, dates)) for name, value in query),
        document=None
        if not text
        else dict(parse_qsl(text.decode()))
        if content_type == FORM_TYPE
        else json.loads(text),
        is_compressed=is_compressed,
        content_type=content_type,
        parameters=tuple((sample.get("pathParameters") or {}).items()),
    )


def _recent(value: str, dates: list[str]) -> str:
    """Move a date of the query to a period around today, which the first of two dates begins."""
    if value not in dates:
        return value
    is_start = value == dates[0] and len(dates) > 1
    return (NOW.date() + timedelta(days=-29 if is_start else 2)).isoformat()


def _map_texts(value: Any, change: Callable[[str], str | None]) -> Any:  # noqa: ANN401 - JSON
    """Apply *change* to every text in a JSON value, and leave out members that become None."""
    match value:
        case str():
            return change(value)
        case list():
            return [_map_texts(item, change) for item in value]
        case dict():
            changed = {name: _map_texts(item, change) for name, item in value.items()}
            return {name: item for name, item in changed.items() if item is not None or value[name] is None}
    return value


def _adapted(text: str, credential: Credential, own: ProofOrganization) -> str | None:
    """Replace a sample's key or token by the caller's, and a sample's time by the current one.

    A caller without an organization has no token, and knows no member.
    """
    if text in own.saml_texts:  # of a public route: any caller may bring the provider's answer
        return own.saml_texts[text]
    if credential.owner is not None and OPAQUE_TOKEN.fullmatch(text):
        return own.one_time_tokens.get(text, own.refresh_token)
    if credential.owner is not None and text in OF_SAMPLES:
        return own.email if text == SAMPLE_EMAIL else str(own.organization_id)
    if text == SAMPLE_ISSUER and own.issuer:
        return own.issuer
    if KEY.fullmatch(text):
        return credential.key.text if credential.key else None
    return NOW.isoformat() if TIMESTAMP.fullmatch(text) else text
