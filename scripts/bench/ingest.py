"""Ingest: what the function itself does for a batch of events, full request to answer."""

import base64
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
from scripts.bench.figure import Comparison, Figure, alternate, processor_seconds
from scripts.bench.functions import loaded, sample
from scripts.bench.stand_in import stand_in
from tenancy.events.batch import decode_body
from tenancy.events.frames import cut_frames
from tenancy.gateway.http import parse_request

BATCHES: Final = (1, 100, 1_000)
TURNS: Final = 40


def measure(rounds: int) -> Figure:
    """Measure the handler for each size of batch, and its parts for the largest."""
    with stand_in() as aws_url, loaded("ingest", aws_url) as app:
        comparisons = [_compare(app, batch, rounds) for batch in BATCHES]
        parts = _measure_parts(app, BATCHES[-1], rounds)
    return Figure(
        name="ingest",
        unit="events per second of processor time, more is better",
        measured="the ingest function's handler, from API Gateway's request (body in base64) to the answer: parse, "
        "check, frame, sign, send over HTTP, log. The processor time is that of the handler's process, all threads; "
        "SQS is a stand-in in another process, so that only our own work counts.",
        reference="msgspec.json.decode of the same JSON bytes, untyped",
        comparisons=comparisons,
        notes=[parts],
    )


def _compare(app: ModuleType, batch: int, rounds: int) -> Comparison:
    body = make_body(batch)
    request = _request(body)
    answer = app.handler(request, None)
    if answer["statusCode"] != 200 or json.loads(answer["body"])["accepted"] != batch:  # noqa: PLR2004 - HTTP's
        sys.exit(f"the handler refused the batch: {answer['body']}")
    block = max(BATCHES) // batch
    return alternate(
        f"batch of {batch:,}",
        rounds,
        lambda: batch / processor_seconds(lambda: app.handler(request, None), block=block),
        lambda: batch / processor_seconds(lambda: msgspec.json.decode(body), block=block),
    )


def _measure_parts(app: ModuleType, batch: int, rounds: int) -> str:
    """Say where the time goes: each part is called by itself on the same events, the rest is what remains."""
    body = make_body(batch)
    request, rows = _request(body), make_rows(body)
    frames = cut_frames(rows)
    parts: dict[str, Callable[[], object]] = {
        "whole": lambda: app.handler(request, None),
        "parse": lambda: make_rows(decode_body(parse_request(request).body)),
        "frames": lambda: cut_frames(rows),
        "send": lambda: app.queue.send_frames(ORGANIZATION_ID, "events", frames),
    }
    shares = {name: median(seconds) for name, seconds in _measure_in_turn(parts, rounds * TURNS).items()}
    parse, frame, send = (100 * shares[name] / shares["whole"] for name in ("parse", "frames", "send"))
    return (
        f"Where the time goes for {batch:,} events ({len(body) // batch} bytes each): parse (base64, JSON, checks, "
        f"rows) {parse:.0f} %, frames (lines, zstd, base64) {frame:.0f} %, signing and sending {send:.0f} %, the rest "
        f"(caller, duplicates, answer, log line) {100 - parse - frame - send:.0f} %."
    )


def _measure_in_turn(parts: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Return the processor seconds of each part in each turn; a turn is short, so that noise meets all parts alike."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(turns):
        for name, part in parts.items():
            started = time.process_time()
            part()
            seconds[name].append(time.process_time() - started)
    return seconds


def _request(body: bytes) -> dict[str, Any]:
    moment = {"requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000)}
    envelope = sample("ingest/events")
    context = envelope["requestContext"] | moment
    return envelope | {"requestContext": context, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
