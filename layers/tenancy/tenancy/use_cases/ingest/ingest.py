"""Take events in: each is checked alone, what fits the quota goes into the queue, and only then is anything answered.

Two steps, because a request is admitted with the number of its events, in one round trip: `read_…` says what is in it,
`enqueue_events` puts what was admitted into the queue.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from msgspec import Raw, structs

from tenancy.errors import FieldError, InvalidError, UnavailableError
from tenancy.rules.admission import HELD_FOR_QUOTA, Admission
from tenancy.rules.events.batch import Batch
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError, Rejection
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.quotas import quota_exceeded, quota_retry_later
from tenancy.rules.resolution import Mention, MentionSource, find_mentions, resolve
from tenancy.rules.tenant import Tenant
from tenancy.rules.tiers import QUOTAS
from tenancy.stores.aws.event_queue import EventQueue

MAX_REPORTED_ERRORS: Final = 100

OVER_QUOTA: Final = FieldError(
    location="", code="quota_exceeded", message="The month's quota is used up, and so is what can be held past it."
)

type Identity = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBatch:
    """What is in a request: *rows* that are events, by their place in it, and what is none.

    *counted* are those that take quota, *unbelievable* those that are held for their clock: each event once, because
    its copies were received in the same instant, and the first counts.
    """

    rows: Mapping[int, EventRow]
    counted: Mapping[Identity, EventRow]
    unbelievable: Mapping[Identity, EventRow]
    rejected: tuple[Rejection, ...]

    @classmethod
    def of(cls, rows: Mapping[int, EventRow], rejected: Iterable[Rejection]) -> "ParsedBatch":
        """Sort *rows* out."""
        counted: dict[Identity, EventRow] = {}
        unbelievable: dict[Identity, EventRow] = {}
        for row in rows.values():
            (unbelievable if row.reason else counted).setdefault(row.identity, row)
        return cls(rows=rows, counted=counted, unbelievable=unbelievable, rejected=tuple(rejected))


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a batch. Accepted means in the queue; *held* ones are, too, but do not count for now."""

    batch_id: UUID
    accepted: int
    held: int
    rejected: tuple[Rejection, ...]


def parse_event_batch(tenant: Tenant, batch: Batch, *, now: datetime) -> ParsedBatch:
    """Read the events of POST /v1/events.

    Raises:
        InvalidError: not one event is acceptable.
        TenantMismatchError: the batch or an event names another organization.
    """
    if batch.organization_id is not None:
        _confirm(tenant, (Mention(source=MentionSource.BODY, text=batch.organization_id),))
    return _read(tenant, batch.events, parse_event, now=now)


def parse_segment_calls(
    tenant: Tenant, messages: Iterable[Raw], *, event_type: str | None, now: datetime
) -> ParsedBatch:
    """Read the calls of a Segment SDK; *event_type* is what the path says, None where each message says it.

    Raises:
        InvalidError, TenantMismatchError: as for `parse_event_batch`.
    """

    def parse(raw: bytes, reception: BatchContext) -> EventRow:
        _confirm(tenant, find_mentions(raw))
        return parse_segment_message(raw, reception, event_type=event_type)

    return _read(tenant, messages, parse, now=now)


def require_room(admission: Admission, reading: ParsedBatch, *, all_or_nothing: bool) -> None:
    """Let a batch pass when anything of it may be taken, or *is_whole* all of it.

    A whole one is a Segment SDK's, which drops for good what is answered with 402, and sends again on 429.

    Raises:
        QuotaExceededError: nothing of it fits, neither the quota nor what can be held past it.
        RateLimitedError: not the whole of it fits.
    """
    fits = admission.accepted + admission.held
    if admission.tier is None or fits == len(reading.counted):
        return
    if all_or_nothing:
        raise quota_retry_later(admission.tier, admission.metric)
    if not fits and not reading.unbelievable:
        raise quota_exceeded(admission.tier, admission.metric, used=admission.used)


def enqueue_events(
    queue: EventQueue, tenant: Tenant, reading: ParsedBatch, admission: Admission, give_back: Callable[[], None]
) -> Receipt:
    """Put what was admitted of *reading* into the queue: the first events that fit, then those that are held.

    *give_back* returns their quota when they are not taken.

    Raises:
        UnavailableError: the queue is away; what it has got is the same event when it is sent again.
    """
    counted = list(reading.counted.values())
    end = admission.accepted + admission.held
    accepted, over = counted[: admission.accepted], counted[admission.accepted : end]
    held = [structs.replace(row, reason=HELD_FOR_QUOTA) for row in over] + list(reading.unbelievable.values())
    try:
        queue.send_frames(tenant.organization_id, "events", encode_frames(accepted))
        queue.send_frames(tenant.organization_id, "held_events", encode_frames(held))
    except UnavailableError:
        give_back()
        raise
    return _receipt(reading, {row.identity for row in accepted}, {row.identity for row in held})


def _receipt(reading: ParsedBatch, accepted: set[Identity], held: set[Identity]) -> Receipt:
    """Say what became of each event; copies within the batch share the fate of the first."""
    taken = accepted | held
    refused = [
        Rejection(index=index, event_id=row.event_id, errors=(OVER_QUOTA,))
        for index, row in reading.rows.items()
        if row.identity not in taken
    ]
    return Receipt(
        batch_id=uuid4(),
        accepted=sum(row.identity in accepted for row in reading.rows.values()),
        held=sum(row.identity in held for row in reading.rows.values()),
        rejected=tuple(sorted([*reading.rejected, *refused], key=lambda rejection: rejection.index)),
    )


def _confirm(tenant: Tenant, mentions: tuple[Mention, ...]) -> None:
    if mentions:
        resolve(tenant, mentions, base_domain="").require_accepted()  # a body names no host


def _read(
    tenant: Tenant, raws: Iterable[Raw], parse: Callable[[bytes, BatchContext], EventRow], *, now: datetime
) -> ParsedBatch:
    """Every event comes through here."""
    retention = timedelta(days=QUOTAS[tenant.tier].data_retention_days)
    reception = BatchContext(organization_id=tenant.organization_id, received_at=now, retention=retention)
    rows: dict[int, EventRow] = {}
    rejected: list[Rejection] = []
    for index, raw in enumerate(raws):
        try:
            rows[index] = parse(bytes(raw), reception)
        except InvalidEventError as error:
            rejected.append(Rejection(index=index, event_id=error.event_id, errors=(error.error,)))
    if not rows:
        raise _refusal(rejected)
    return ParsedBatch.of(rows, rejected)


def _refusal(rejected: list[Rejection]) -> InvalidError:
    errors = [
        FieldError(
            location=f"events/{rejection.index}/{error.location}".rstrip("/"), code=error.code, message=error.message
        )
        for rejection in rejected[:MAX_REPORTED_ERRORS]
        for error in rejection.errors
    ]
    return InvalidError("No event of the batch is acceptable.", errors=errors)
