"""Take events in: each is checked alone, what is right goes into the queue, and only then is anything answered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from msgspec import Raw

from tenancy.errors import FieldError, InvalidError
from tenancy.events.batch import Batch
from tenancy.events.event import parse_event
from tenancy.events.frames import cut_frames
from tenancy.events.row import InvalidEventError, Reception, Rejection, Row
from tenancy.events.segment import parse_message
from tenancy.permissions import EVENTS_WRITE
from tenancy.resolution import Mention, Source, mentions_in, resolve
from tenancy.stores.queue import EventQueue
from tenancy.tenant import Tenant
from tenancy.tiers import QUOTAS

MAX_REPORTED_ERRORS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a batch. Accepted means in the queue; *held* ones are, too, but do not count for now."""

    batch_id: UUID
    accepted: int
    held: int
    rejected: tuple[Rejection, ...]


def ingest_batch(queue: EventQueue, tenant: Tenant, batch: Batch, *, now: datetime) -> Receipt:
    """Take the events of POST /v1/events.

    Raises:
        InvalidError: not one event is acceptable.
        TenantMismatchError: the batch or an event names another organization; nothing is taken.
        ForbiddenError, OrganizationInactiveError: the tenant may not send events.
        UnavailableError: the queue is away; what it has got is the same event when it is sent again.
    """
    if batch.organization_id is not None:
        _confirm(tenant, (Mention(source=Source.BODY, text=batch.organization_id),))
    return _ingest(queue, tenant, batch.events, parse_event, now=now)


def ingest_messages(
    queue: EventQueue, tenant: Tenant, messages: Iterable[Raw], *, event_type: str | None, now: datetime
) -> Receipt:
    """Take the calls of a Segment SDK; *event_type* is what the path says, None where each message says it.

    Raises:
        InvalidError, TenantMismatchError, ForbiddenError, OrganizationInactiveError, UnavailableError: as for
            `ingest_batch`.
    """

    def parse(raw: bytes, reception: Reception) -> Row:
        _confirm(tenant, mentions_in(raw))
        return parse_message(raw, reception, event_type=event_type)

    return _ingest(queue, tenant, messages, parse, now=now)


def _ingest(
    queue: EventQueue,
    tenant: Tenant,
    raws: Iterable[Raw],
    parse: Callable[[bytes, Reception], Row],
    *,
    now: datetime,
) -> Receipt:
    """Every event comes through here. Admission (rate limit, quota) belongs between parsing and sending."""
    tenant.require(EVENTS_WRITE)
    retention = timedelta(days=QUOTAS[tenant.tier].data_retention_days)
    reception = Reception(organization_id=tenant.organization_id, received_at=now, retention=retention)
    rows, rejected = _parse_all(raws, parse, reception)
    if not rows:
        raise _refusal(rejected)
    held = [row for row in rows if row.reason]
    counted = [row for row in rows if not row.reason]
    queue.send_frames(tenant.organization_id, "events", cut_frames(_first_of_each(counted)))
    queue.send_frames(tenant.organization_id, "held_events", cut_frames(_first_of_each(held)))
    return Receipt(batch_id=uuid4(), accepted=len(counted), held=len(held), rejected=tuple(rejected))


def _confirm(tenant: Tenant, mentions: tuple[Mention, ...]) -> None:
    if mentions:
        resolve(tenant, mentions, base_domain="").require_accepted()  # a body names no host


def _parse_all(
    raws: Iterable[Raw], parse: Callable[[bytes, Reception], Row], reception: Reception
) -> tuple[list[Row], list[Rejection]]:
    rows: list[Row] = []
    rejected: list[Rejection] = []
    for index, raw in enumerate(raws):
        try:
            rows.append(parse(bytes(raw), reception))
        except InvalidEventError as error:
            rejected.append(Rejection(index=index, event_id=error.event_id, errors=(error.error,)))
    return rows, rejected


def _first_of_each(rows: list[Row]) -> list[Row]:
    """Drop later copies of an event within one request: they were received in the same instant, the first counts."""
    unique: dict[tuple[str, str, str, str], Row] = {}
    for row in rows:
        unique.setdefault(row.identity, row)
    return list(unique.values())


def _refusal(rejected: list[Rejection]) -> InvalidError:
    errors = [
        FieldError(
            location=f"events/{rejection.index}/{error.location}".rstrip("/"), code=error.code, message=error.message
        )
        for rejection in rejected[:MAX_REPORTED_ERRORS]
        for error in rejection.errors
    ]
    return InvalidError("No event of the batch is acceptable.", errors=errors)
