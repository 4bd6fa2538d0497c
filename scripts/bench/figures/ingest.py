"""Ingest: the work of the function itself for a batch, from full request to answer."""

import base64
import http.client
import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from statistics import median
from types import ModuleType
from typing import Any, Final

import msgspec

from scripts.bench.events import ORGANIZATION_ID, make_body, make_rows
from scripts.bench.figure import Comparison, Effort, Figure, alternate
from scripts.bench.functions import loaded, sample
from scripts.bench.stand_in import stand_in
from scripts.bench.tenants import no_database, redis_knowing
from tenancy.gateway.http import parse_request
from tenancy.rules.events.batch import decode_body
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.tenant import require_tenant
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.ingest.ingest_events import Ingest

BATCHES: Final = (1, 100, 1_000)
TURNS: Final = 40


def measure(effort: Effort) -> Figure:
    """Measure the handler for each size of batch, and its parts for the largest."""
    batches = BATCHES[: effort.size(len(BATCHES))]
    tenant = require_tenant(parse_request(sample("ingest/events")).caller(), EVENTS_WRITE)
    with stand_in() as aws_url, redis_knowing(tenant) as (redis, _), loaded("ingest", aws_url) as app:
        gate = AdmissionGate(redis, no_database)
        vars(app)["ingest"] = Ingest(
            gate, app.wiring.event_queue, lambda: app.wiring.write_keys, base_domain=app.settings.base_domain
        )
        comparisons = [_compare(app, batch, effort) for batch in batches]
        parts = _measure_parts(app, gate, batches[-1], effort)
    return Figure(
        name="ingest",
        unit="events per second of processor time, more is better",
        measured="the ingest function's handler, from API Gateway's request (body in base64) to the answer: parse, "
        "check, be admitted, frame, sign, send over HTTP, log. The processor time is that of the handler's process, "
        "all threads; Valkey is the stack's and SQS a stand-in, in processes of their own, so that only our own work "
        "counts.",
        reference="msgspec.json.decode of the same JSON bytes, untyped",
        comparisons=comparisons,
        notes=[parts],
    )


def _compare(app: ModuleType, batch: int, effort: Effort) -> Comparison:
    body = make_body(batch)
    request = _request(body)
    if (accepted := json.loads(_handle(app, request))["accepted"]) != batch:
        sys.exit(f"the handler took {accepted} of {batch} events")
    block = effort.size(max(BATCHES) // batch)
    return alternate(
        f"batch of {batch:,}",
        effort,
        lambda: batch / effort.processor_seconds(lambda: _handle(app, request), block=block),
        lambda: batch / effort.processor_seconds(lambda: msgspec.json.decode(body), block=block),
    )


def _measure_parts(app: ModuleType, gate: AdmissionGate, batch: int, effort: Effort) -> str:
    """Describe the share of each part, called by itself on the same events."""
    body = make_body(batch)
    request, rows = _request(body), make_rows(body)
    parsed, frames = parse_request(request), encode_frames(rows)
    tenant = require_tenant(parsed.caller(), EVENTS_WRITE)
    parts: dict[str, Callable[[], object]] = {
        "whole": lambda: _handle(app, request),
        "parse": lambda: make_rows(decode_body(parse_request(request).body)),
        "admission": lambda: gate.admit(tenant, events=batch, now=datetime.now(UTC)),
        "frames": lambda: encode_frames(rows),
        "send": lambda: app.wiring.event_queue.send_frames(ORGANIZATION_ID, "events", frames),
    }
    turns = effort.rounds * effort.size(TURNS)
    shares = {name: median(seconds) for name, seconds in _measure_in_turn(parts, turns).items()}
    parse, admit, frame, send = (100 * shares[name] / shares["whole"] for name in list(parts)[1:])
    return (
        f"Where the time goes for {batch:,} events ({len(body) // batch} bytes each): parse (base64, JSON, checks, "
        f"rows) {parse:.0f} %, admission {admit:.0f} %, frames (lines, zstd, base64) {frame:.0f} %, signing and "
        f"sending {send:.0f} %, the rest (caller, duplicates, answer, log line) "
        f"{100 - parse - admit - frame - send:.0f} %."
    )


def _measure_in_turn(parts: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Return the processor seconds of each part in each turn.

    A turn is short, so that noise meets all parts alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(turns):
        for name, part in parts.items():
            started = time.process_time()
            part()
            seconds[name].append(time.process_time() - started)
    return seconds


def _handle(app: ModuleType, request: Mapping[str, Any]) -> str:
    """Return the body of the handler's answer, and stop at a refusal."""
    answer = app.handler(request, None)
    if answer["statusCode"] != http.client.OK:
        sys.exit(f"the handler refused the batch: {answer['body']}")
    body: str = answer["body"]
    return body


def _request(body: bytes) -> dict[str, Any]:
    moment = {"requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000)}
    envelope = sample("ingest/events")
    context = envelope["requestContext"] | moment
    return envelope | {"requestContext": context, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
