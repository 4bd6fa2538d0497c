"""A call of every route that somebody may make, from the sample events, adapted to whoever makes it."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

from tenancy.rules.api_keys import KEY
from tenancy.rules.organization import Status
from tests.given import ROOT
from tests.handlers.functions import BASE_DOMAIN
from tests.isolation.proof.attack.gateway import Answer, Gateway, Request
from tests.isolation.proof.discovery.deployment import BY_TABLES_ID, Route
from tests.isolation.proof.proof_data import Credential, Named

DATE = re.compile(r"\d{4}-\d\d-\d\d")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
NOW = datetime.now(UTC)  # one for all: what organizations send differs in nothing but its sender
GZIP = b"\x1f\x8b"
BODIES_OF = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A route with a query and a document, which are from the *sample*: another route's if *is_borrowed*."""

    route: Route
    sample: str = ""
    is_borrowed: bool = False
    query: tuple[tuple[str, str], ...] = ()
    document: Any = None
    is_zipped: bool = False
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.route.name} ({self.sample})" if self.sample else self.route.name


def discover_calls(route: Route) -> list[Call]:
    """Return the calls that the sample events make of *route*; a route without one borrows its function's bodies."""
    if route.method == "OPTIONS":
        return [Call(route=route)]
    samples = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "events" / route.function).iterdir())}
    own = {
        name: sample
        for name, sample in samples.items()
        if (sample.get("httpMethod"), sample.get("resource")) == (route.method, route.path)
    }
    is_borrowed = not own and route.method in BODIES_OF
    if is_borrowed:
        own = {name: sample for name, sample in samples.items() if sample.get("httpMethod") == route.method}
    calls = [_call(route, name, sample) for name, sample in own.items()]
    return [replace(call, is_borrowed=is_borrowed) for call in calls] or [Call(route=route)]


def find_working(
    gateway: Gateway, route: Route, credentials: Iterable[Credential], own: Named
) -> tuple[Call, Credential] | None:
    """Return the first call of *route* that succeeds with one of *credentials*, and that one."""
    for call, credential in product(discover_calls(route), credentials):
        if call_in_some_state(gateway, request_of(call, credential, own), credential).is_success:
            return call, credential
    return None


def call_in_some_state(gateway: Gateway, request: Request, credential: Credential) -> Answer:
    """Return what is answered; the operator has calls for organizations that are not active as well."""
    gateway.restore()
    answer = gateway(request)
    if credential.is_operator and not answer.is_success:
        for status in Status:
            gateway.revive(status)
            answer = answer if answer.is_success else gateway(request)
        gateway.revive(Status.ACTIVE)
    return answer


def request_of(call: Call, credential: Credential, own: Named) -> Request:
    """Return *call* as *credential* makes it about its own organization, at the platform's own host."""
    headers = [("Host", f"api.{BASE_DOMAIN}"), ("Content-Type", "application/json")]
    if credential.authorization is not None:
        headers.append(("Authorization", credential.authorization))
    words = dict(call.parameters)
    parameters = {name: own_value(name, credential, own, words.get(name)) for name in call.route.parameters}
    request = Request(route=call.route, parameters=parameters, headers=tuple(headers), query=call.query)
    return with_document(request, call, _walk(call.document, lambda text: _adapted(text, credential)))


def with_document(request: Request, call: Call, document: object) -> Request:
    """Send *document* as the sample is sent: none, plain or compressed."""
    if document is None:
        return request
    body = json.dumps(document).encode()
    return replace(request, body=gzip.compress(body, mtime=0) if call.is_zipped else body)


def document_in(request: Request) -> Any:  # noqa: ANN401 - JSON
    """Return a copy of what the request's body says, None without one."""
    body = gzip.decompress(request.body) if request.body.startswith(GZIP) else request.body
    return json.loads(body) if body else None


def own_value(parameter: str, credential: Credential, own: Named, word: str | None) -> str:
    """Return what stands for *parameter* in the path of the organization's own request; *word* is the sample's."""
    value = row_value(parameter, own) or (None if word is None or KEY.fullmatch(word) else word)
    if value is None:
        value = credential.key.text if credential.key else str(own.organization_id)
    return value


def row_value(parameter: str, named: Named) -> str | None:
    """Return the id that a path parameter stands for: of the organization, or of its row in a table of that name."""
    found = BY_TABLES_ID.fullmatch(parameter)
    if parameter == "organization_id" or found is None:
        return str(named.organization_id) if found else None
    tables = [table for table in named.rows if f"_{table}".endswith(f"_{found[1]}s")]
    return named.rows[tables[0]] if tables else str(named.organization_id)


def _call(route: Route, name: str, sample: dict[str, Any]) -> Call:
    body = sample.get("body") or ""
    raw = base64.b64decode(body) if sample.get("isBase64Encoded") else body.encode()
    is_zipped = raw.startswith(GZIP)
    text = gzip.decompress(raw) if is_zipped else raw
    query = sorted((sample.get("queryStringParameters") or {}).items())
    days = sorted(value for _, value in query if DATE.fullmatch(value))
    return Call(
        route=route,
        sample=name,
        query=tuple((name, _recent(value, days)) for name, value in query),
        document=json.loads(text) if text else None,
        is_zipped=is_zipped,
        parameters=tuple((sample.get("pathParameters") or {}).items()),
    )


def _recent(value: str, days: list[str]) -> str:
    """Move a period of the past around today."""
    if value not in days:
        return value
    today: date = datetime.now(UTC).date()
    return (today + timedelta(days=-30 if value == days[0] and len(days) > 1 else 2)).isoformat()


def _walk(value: Any, change: Callable[[str], str | None]) -> Any:  # noqa: ANN401 - JSON
    """Change every text in a JSON *value*; a member that becomes None is left out."""
    match value:
        case str():
            return change(value)
        case list():
            return [_walk(item, change) for item in value]
        case dict():
            changed = {name: _walk(item, change) for name, item in value.items()}
            return {name: item for name, item in changed.items() if item is not None or value[name] is None}
    return value


def _adapted(text: str, credential: Credential) -> str | None:
    """Put the caller's own key in place of a sample's, and now in place of a time."""
    if KEY.fullmatch(text):
        return credential.key.text if credential.key else None
    return NOW.isoformat() if MOMENT.fullmatch(text) else text
