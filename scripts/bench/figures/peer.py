"""Peer: our processor time for a request beside that of a plain TypeScript server of the same data model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final
from uuid import uuid4

from scripts.bench.events import ORGANIZATION_ID, make_body
from scripts.bench.figure import Comparison, Effort, Figure, Goal, alternate, at_most, measure_in_turn
from scripts.bench.functions import loaded
from scripts.bench.peers.server import PeerServer, peer_server
from scripts.bench.requests import MILLISECONDS, Handler, answer_body, events_request, get_request
from scripts.bench.stand_in import stand_in
from scripts.bench.tenants import no_database, redis_knowing
from tenancy.gateway.http import parse_request
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS
from tenancy.rules.tenant import CallerKind, Tenant, require_tenant
from tenancy.stores.aws.audit_queue import AuditQueue
from tenancy.stores.aws.client import AwsClient
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.ingest.ingest_events import Ingest

PATH: Final = "/tenant"
REQUESTS: Final = 100  # of a round
BATCHES: Final = {1: 100, 1_000: 12}  # events of a request: requests of a round
TURNS: Final = 300
WARM_ROUNDS: Final = 3  # V8 compiles what is called often
OF_MIDDLEWARES: Final = 1 / 5
OF_BATCHES: Final = 1 / 3
SECRET_KEY: Final = Tenant(
    organization_id=ORGANIZATION_ID,
    subdomain="acme",
    scopes=PERMISSIONS,
    credential_id=uuid4(),
    kind=CallerKind.KEY,
)
MEMBER: Final = replace(
    SECRET_KEY,
    credential_id=uuid4(),
    kind=CallerKind.PERSON,
    epoch="0.0",
    expires_at=datetime.now(UTC) + timedelta(days=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Our handlers: a route that does nothing with the tenancy layer and without it, and ingest.

    *admit* and *record* are two parts of the layer, for a read by a member.
    """

    layer: Handler
    bare: Handler
    ingest: Handler
    admit: Callable[[], object]
    record: Callable[[], object]


def measure(effort: Effort) -> Figure:
    """Measure both sides with the stack's servers, in databases of their own."""
    with peer_server() as peer, _ours() as ours:
        comparisons = [
            *_compare_layer(ours, peer, effort),
            *(_compare_events(ours.ingest, peer, batch, effort) for batch in BATCHES),
        ]
        note = _describe_read(ours, effort)
    return Figure(
        name="peer",
        unit="milliseconds of processor time for a request, less is better",
        measured="the handler in this process, all threads. The layer is caller, admission, mismatch, right and audit, "
        "for a member with the record of the read: a route that does nothing with the layer, less the same route "
        "without it. SQS is a stand-in.",
        reference="the process of a plain server on Node (scripts/bench/peers/typescript): token, organization, user, "
        "rate limit and quota of each request, without a cache or a queue. Of the layer: such a route with these "
        "middlewares, less one without them. PostgreSQL, Valkey and ClickHouse are the stack's, and their time does "
        "not count on either side.",
        comparisons=comparisons,
        notes=[note],
    )


def _compare_layer(ours: Ours, peer: PeerServer, effort: Effort) -> Iterator[Comparison]:
    requests = effort.size(REQUESTS)

    def middlewares() -> float:
        whole = peer.processor_seconds("GET", PATH, requests=requests)
        return MILLISECONDS * (whole - peer.processor_seconds("GET", "/health", requests=requests))

    def layer(request: dict[str, Any]) -> float:
        whole = effort.processor_seconds(lambda: answer_body(ours.layer, request))
        return MILLISECONDS * (whole - effort.processor_seconds(lambda: answer_body(ours.bare, request)))

    for what, tenant in {"layer, key": SECRET_KEY, "layer, member": MEMBER}.items():
        measured = partial(layer, get_request(PATH, tenant))
        yield _compare(what, measured, middlewares, effort, at_most(OF_MIDDLEWARES))


def _describe_read(ours: Ours, effort: Effort) -> str:
    """Describe the share of each part of the layer in a member's read, called by itself."""
    request = get_request(PATH, MEMBER)
    parts: dict[str, Callable[[], object]] = {
        "whole": partial(answer_body, ours.layer, request),
        "bare": partial(answer_body, ours.bare, request),
        "admission": ours.admit,
        "record": ours.record,
    }
    seconds = {name: median(spent) for name, spent in measure_in_turn(parts, effort.size(TURNS)).items()}
    layer = seconds["whole"] - seconds["bare"]
    admission, record = (100 * seconds[name] / layer for name in ("admission", "record"))
    return (
        f"Where the time of the layer goes in a member's read: admission {admission:.0f} %, the record (sign, send, "
        f"read the answer) {record:.0f} %, the rest (caller, mentions, right, the router's event) "
        f"{100 - admission - record:.0f} %."
    )


def _compare_events(ingest: Handler, peer: PeerServer, batch: int, effort: Effort) -> Comparison:
    body, requests = make_body(batch), effort.size(BATCHES[batch])
    work = partial(answer_body, ingest, events_request(body))

    def ours() -> float:
        return MILLISECONDS * effort.processor_seconds(work)

    def theirs() -> float:
        return MILLISECONDS * peer.processor_seconds("POST", "/events", body, requests=requests)

    return _compare(f"events, {batch:,}", ours, theirs, effort, at_most(OF_BATCHES))


def _compare(
    what: str, measured: Callable[[], float], reference: Callable[[], float], effort: Effort, goal: Goal
) -> Comparison:
    for _ in range(effort.size(WARM_ROUNDS)):
        measured()
        reference()
    return alternate(what, effort, measured, reference, goal)


@contextmanager
def _ours() -> Iterator[Ours]:
    """Yield our handlers, with the stack's Valkey."""
    write_key = require_tenant(parse_request(events_request(b"")).caller(), EVENTS_WRITE)
    with (
        stand_in() as aws_url,
        redis_knowing(SECRET_KEY, MEMBER, write_key) as (redis, _),
        loaded("ingest", aws_url) as app,
    ):
        gate = AdmissionGate(redis, no_database)
        vars(app)["ingest"] = Ingest(
            gate,
            app.wiring.event_queue,
            lambda: app.wiring.write_keys,
            base_domain=app.settings.base_domain,
            domain_owners=app.wiring.domain_owners(no_database),
        )
        queue = AuditQueue(AwsClient("sqs", app.settings.region, aws_url), f"{aws_url}/audit")
        actor = Actor(kind=MEMBER.kind, id=MEMBER.credential_id, request_id=str(uuid4()), source_address="203.0.113.10")
        record = AuditRecord.done(f"GET {PATH}", PATH, actor, now=datetime.now(UTC))
        # Its logger keeps the stdout that it finds when it is imported.
        from scripts.bench.layer import bare_handler, layer_handler  # noqa: PLC0415

        yield Ours(
            layer=layer_handler(redis, aws_url),
            bare=bare_handler(),
            ingest=app.handler,
            admit=lambda: gate.admit(MEMBER, now=datetime.now(UTC)),
            record=partial(queue.send_record, ORGANIZATION_ID, record),
        )
