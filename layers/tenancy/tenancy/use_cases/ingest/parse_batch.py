"""Parse the events of a request, each alone, so that one bad event rejects only itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec import Raw

from tenancy.errors import FieldError, InvalidError
from tenancy.rules.events.batch import Batch
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError, Rejection
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.members import within_body
from tenancy.rules.resolution import Mention, MentionSource, find_mentions, resolve
from tenancy.rules.tenant import Tenant
from tenancy.rules.tiers import QUOTAS

MAX_REPORTED_ERRORS: Final = 100
MAX_FURTHER_ERRORS: Final = 2_500  # of a batch: each rejected event has its first error, and so many follow in all

type Identity = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBatch:
    """The events of a request: valid *rows* by their place in it, and the *rejected* events.

    *counted* rows take quota; *clock_held* rows are held because of their timestamp and take none. Both have each event
    once: copies in one batch were received at the same time, and the first one counts.
    """

    rows: Mapping[int, EventRow]
    counted: Mapping[Identity, EventRow]
    clock_held: Mapping[Identity, EventRow]
    rejected: tuple[Rejection, ...]

    @classmethod
    def of(cls, rows: Mapping[int, EventRow], rejected: Iterable[Rejection]) -> "ParsedBatch":
        """Divide *rows* into those that take quota and those held because of their timestamp."""
        counted: dict[Identity, EventRow] = {}
        clock_held: dict[Identity, EventRow] = {}
        for row in rows.values():
            (clock_held if row.reason else counted).setdefault(row.identity, row)
        return cls(rows=rows, counted=counted, clock_held=clock_held, rejected=tuple(rejected))


def parse_event_batch(tenant: Tenant, batch: Batch, *, now: datetime) -> ParsedBatch:
    """Parse the events of POST /v1/events.

    Raises:
        InvalidError: no event is valid, or a member of the batch is not.
        TenantMismatchError: the batch or an event names another organization.
    """
    if batch.organization_id is not None:
        _require_own(tenant, (Mention(source=MentionSource.BODY, text=batch.organization_id),))
    return _parse(tenant, batch.events, parse_event, at=("events",), errors=batch.errors, now=now)


def parse_segment_calls(
    tenant: Tenant, messages: Iterable[Raw], *, event_type: str | None, now: datetime
) -> ParsedBatch:
    """Parse the calls of a Segment SDK.

    *event_type* comes from the path, None where each call has its own.

    Raises:
        InvalidError, TenantMismatchError: as for `parse_event_batch`.
    """

    def parse(raw: bytes, context: BatchContext) -> EventRow:
        _require_own(tenant, find_mentions(raw))
        return parse_segment_message(raw, context, event_type=event_type)

    return _parse(tenant, messages, parse, at=("batch",) if event_type is None else None, now=now)


def _require_own(tenant: Tenant, mentions: tuple[Mention, ...]) -> None:
    if mentions:
        resolve(tenant, mentions, base_domain="").require_accepted()  # a body names no host


def _parse(
    tenant: Tenant,
    raws: Iterable[Raw],
    parse: Callable[[bytes, BatchContext], EventRow],
    *,
    at: tuple[str, ...] | None,
    errors: Sequence[FieldError] = (),
    now: datetime,
) -> ParsedBatch:
    """Parse *raws*, the list at *at* in the body, or the body itself.

    The *errors* of the batch are raised after all events were parsed, because a mismatch of an event comes first.
    """
    retention = timedelta(days=QUOTAS[tenant.tier].data_retention_days)
    context = BatchContext(organization_id=tenant.organization_id, received_at=now, retention=retention)
    rows: dict[int, EventRow] = {}
    rejected: list[Rejection] = []
    further = MAX_FURTHER_ERRORS
    for index, raw in enumerate(raws):
        try:
            rows[index] = parse(bytes(raw), context)
        except InvalidEventError as error:
            shown = error.errors[: 1 + further]
            further -= len(shown) - 1
            located = within_body(shown, *(() if at is None else (*at, index)))
            rejected.append(Rejection(index=index, event_id=error.event_id, errors=tuple(located)))
    if errors or not rows:
        raise _refusal([*errors, *(error for rejection in rejected for error in rejection.errors)], has_rows=bool(rows))
    return ParsedBatch.of(rows, rejected)


def _refusal(errors: Sequence[FieldError], *, has_rows: bool) -> InvalidError:
    detail = "The batch is not valid." if has_rows else "No event of the batch is valid."
    return InvalidError(f"{detail} `errors` lists the fields.", errors=errors[:MAX_REPORTED_ERRORS])
