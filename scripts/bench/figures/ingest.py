"""Ingest: the work of the function itself for a batch, from full request to answer."""

import base64
import http.client
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from types import ModuleType
from typing import Any, Final, override

import msgspec

from scripts.bench.events import ORGANIZATION_ID, make_body, make_segment_body
from scripts.bench.figure import Comparison, Effort, Figure, Goal, alternate, at_least, measure_in_turn
from scripts.bench.functions import loaded, sample
from scripts.bench.stand_in import stand_in
from scripts.bench.tenants import no_database, redis_knowing
from scripts.bench.typed import batch_decoder, segment_decoder
from tenancy.gateway.http import parse_request
from tenancy.rules.events.batch import decode_body, find_body_key, parse_batch
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.tenant import Tenant, require_tenant
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.ingest.ingest_events import Ingest
from tenancy.use_cases.ingest.parse_batch import parse_event_batch
from tenancy.use_cases.keys.write_keys import WriteKeys

LARGEST: Final = 1_000
GOALS: Final[Mapping[int, tuple[Goal, ...]]] = {
    1: (at_least(1_500, of="measured"),),
    100: (),
    LARGEST: (at_least(100_000, of="measured"), at_least(0.6)),
}
SEGMENT_GOAL: Final = at_least(50_000, of="measured")
TURNS: Final = 40


class KnownKeys(WriteKeys):
    """Every write key is one of *tenant*, as if PostgreSQL had been asked within the last minute."""

    def __init__(self, tenant: Tenant) -> None:
        """Know *tenant* for every key."""
        super().__init__(Database(no_database))
        self._tenant = tenant

    @override
    def authenticate(self, key: ApiKey, *, now: datetime) -> Tenant:
        """Return the tenant, whose key never expires."""
        return self._tenant


def measure(effort: Effort) -> Figure:
    """Measure the handler for each size of batch and a Segment batch, and its parts for one event and for many."""
    batches = list(GOALS)[: effort.size(len(GOALS))]
    with _ingesting() as (app, gate, tenant):
        comparisons = [_compare_batch(app, batch, effort) for batch in batches]
        comparisons.append(_compare_segment(app, effort.size(LARGEST), effort))
        parts = [_measure_parts(app, gate, tenant, batch, effort) for batch in dict.fromkeys((batches[0], batches[-1]))]
    return Figure(
        name="ingest",
        unit="events per second of processor time, more is better",
        measured="the ingest function's handler, from API Gateway's request (body in base64) to the answer: parse, "
        "check, be admitted, frame, sign, send over HTTP, log. The processor time is that of the handler's process, "
        "all threads; Valkey is the stack's and SQS a stand-in, in processes of their own, so that only our own work "
        "counts. The write key of the Segment batch is known.",
        reference="msgspec.json.decode of the same JSON bytes into types with the bounds of each member "
        "(scripts/bench/typed.py), and nothing else",
        comparisons=comparisons,
        notes=parts,
    )


@contextmanager
def _ingesting() -> Iterator[tuple[ModuleType, AdmissionGate, Tenant]]:
    """Yield the app of ingest, its gate, and the tenant of each of its requests."""
    tenant = require_tenant(parse_request(sample("ingest/events")).caller(), EVENTS_WRITE)
    with stand_in() as aws_url, redis_knowing(tenant) as (redis, _), loaded("ingest", aws_url) as app:
        gate = AdmissionGate(redis, no_database)
        vars(app)["ingest"] = Ingest(
            gate,
            app.wiring.event_queue,
            lambda: KnownKeys(tenant),
            base_domain=app.settings.base_domain,
            domain_owners=app.wiring.domain_owners(no_database),
        )
        yield app, gate, tenant


def _compare_batch(app: ModuleType, batch: int, effort: Effort) -> Comparison:
    body = make_body(batch)
    request = _request("events", body)
    _require_all(_handle(app, request).get("accepted"), batch)
    name = f"batch of {batch:,}"
    return _alternate(name, app, request, lambda: batch_decoder.decode(body), batch, effort, *GOALS[batch])


def _compare_segment(app: ModuleType, batch: int, effort: Effort) -> Comparison:
    sent: str = sample("ingest/segment_batch")["body"]
    body = make_segment_body(batch, find_body_key(sent.encode()) or "")
    request = _request("segment_batch", body)
    _handle(app, request)
    name = f"Segment batch of {batch:,}"
    return _alternate(name, app, request, lambda: segment_decoder.decode(body), batch, effort, SEGMENT_GOAL)


def _alternate(
    name: str,
    app: ModuleType,
    request: Mapping[str, Any],
    decode: Callable[[], object],
    batch: int,
    effort: Effort,
    *goals: Goal,
) -> Comparison:
    block = effort.size(LARGEST // batch)
    return alternate(
        name,
        effort,
        lambda: batch / effort.processor_seconds(lambda: _handle(app, request), block=block),
        lambda: batch / effort.processor_seconds(decode, block=block),
        *goals,
    )


def _measure_parts(app: ModuleType, gate: AdmissionGate, tenant: Tenant, batch: int, effort: Effort) -> str:
    """Describe the share of each part, called by itself on the same events."""
    body = make_body(batch)
    request = _request("events", body)
    parsed = parse_request(request)
    rows = parse_event_batch(tenant, parse_batch(body), now=datetime.now(UTC)).counted
    frames = encode_frames(rows)
    parts: dict[str, Callable[[], object]] = {
        "whole": lambda: _handle(app, request),
        "body": lambda: decode_body(parsed.body),
        "parse": lambda: parse_event_batch(tenant, parse_batch(body), now=datetime.now(UTC)),
        "admission": lambda: gate.admit(tenant, events=batch, now=datetime.now(UTC)),
        "frames": lambda: encode_frames(rows),
        "send": lambda: app.wiring.event_queue.send_frames(ORGANIZATION_ID, "events", frames),
    }
    turns = effort.rounds * effort.size(TURNS)
    shares = {name: median(seconds) for name, seconds in measure_in_turn(parts, turns).items()}
    shown = {name: 100 * shares[name] / shares["whole"] for name in parts if name != "whole"}
    return (
        f"Where the time goes for {batch:,} events ({len(body) // batch} bytes each): base64 {shown['body']:.0f} %, "
        f"JSON, checks and rows {shown['parse']:.0f} %, admission {shown['admission']:.0f} %, frames (lines, zstd, "
        f"base64) {shown['frames']:.0f} %, signing and sending {shown['send']:.0f} %, the rest (request, caller, "
        f"answer, log line) {100 - sum(shown.values()):.0f} %."
    )


def _handle(app: ModuleType, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the handler's answer, and stop at a refusal."""
    answer = app.handler(request, None)
    if answer["statusCode"] != http.client.OK:
        sys.exit(f"the handler refused the batch: {answer['body']}")
    document: dict[str, Any] = msgspec.json.decode(answer["body"])
    return document


def _require_all(accepted: object, batch: int) -> None:
    if accepted != batch:
        sys.exit(f"the handler took {accepted} of {batch} events")


def _request(name: str, body: bytes) -> dict[str, Any]:
    """Return the sample request *name* of now, with *body*."""
    moment = {"requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000)}
    envelope = sample(f"ingest/{name}")
    context = envelope["requestContext"] | moment
    return envelope | {"requestContext": context, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
