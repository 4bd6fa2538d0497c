"""Parse the events of a request, each alone, so that one bad event rejects only itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import Final

from msgspec import Raw, structs

from tenancy.errors import (
    BODY,
    MAX_ERRORS,
    FieldError,
    InvalidError,
    MalformedRequestError,
    TenantMismatchError,
    TooLargeError,
)
from tenancy.rules.events.batch import Batch, SegmentBatch
from tenancy.rules.events.cloud_event_errors import explain_invalid_cloud_event, refuse_invalid_cloud_event
from tenancy.rules.events.cloud_events import ExplainCloudEvent, parse_cloud_event
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.event_errors import MAX_EXPLAINED, refuse_invalid_event
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError, Rejection
from tenancy.rules.events.segment import HELD_FOR_CLOCK, parse_segment_message
from tenancy.rules.events.shared_members import SharedMembers
from tenancy.rules.events.usual_calls import find_usual_row
from tenancy.rules.json_members import locate, within_body
from tenancy.rules.resolution import ORGANIZATION_MEMBER, Mention, MentionSource, find_mentions, resolve
from tenancy.rules.tenant import Tenant

EVENTS_MEMBER: Final = "events"  # of the body of POST /v1/events
SEGMENT_MEMBER: Final = "batch"

type Identity = tuple[str, str, str, str]
type ParseOne = Callable[[Raw, BatchContext], EventRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlaces:
    """The places of the events in a body: the list at *steps*, or the body itself if it is no list.

    *time_member* is the member of an event that has its time.
    """

    steps: tuple[str, ...] = ()
    is_list: bool = True
    time_member: str = "event_timestamp"

    def locate(self, errors: Iterable[FieldError], index: int) -> tuple[FieldError, ...]:
        """Return *errors* of the event at *index* with their locations in the body."""
        return tuple(within_body(errors, *self.steps_to(index)))

    def steps_to(self, index: int) -> tuple[str | int, ...]:
        """Return the steps from the body to the event at *index*."""
        return (*self.steps, index) if self.is_list else ()


class NoValidEventError(InvalidError):
    """No event of a batch is valid, or a member of the batch is not.

    *rejected* has all events at fault.
    """

    def __init__(
        self, rejected: Sequence[Rejection], errors: Sequence[FieldError] = (), *, is_batch: bool = True
    ) -> None:
        """List the *errors* of the batch's own members, and of the first rejected events.

        Without *is_batch* the request is one call.
        """
        detail = "The batch is not valid." if errors else "No event of the batch is valid."
        detail = detail if is_batch else "The call is not valid."
        shown = chain(errors, chain.from_iterable(each.errors for each in rejected))
        super().__init__(f"{detail} `errors` lists the fields.", errors=list(islice(shown, MAX_ERRORS)))
        self.rejected = tuple(rejected)


class RejectedEventsError(InvalidError):
    """Events of a batch that must be taken as a whole are not valid."""

    def __init__(self, rejected: Sequence[Rejection]) -> None:
        """List the errors of the first rejected events."""
        super().__init__(
            f"No event of the batch is taken, because not all are valid ({len(rejected)} are not). `errors` lists the "
            "fields. Correct or omit these events, and send the batch again.",
            errors=list(islice(chain.from_iterable(each.errors for each in rejected), MAX_ERRORS)),
        )


type RefusedBatch = MalformedRequestError | InvalidError | TooLargeError  # a body that cannot be used
REFUSED_BATCHES: Final = (MalformedRequestError, InvalidError, TooLargeError)


def batch_cause(refusal: RefusedBatch) -> str:
    """Return the cause under which a batch is counted and sampled that was refused as a whole."""
    return f"batch_{refusal.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBatch:
    """The events of a request: valid *rows* by their place in it, and the *rejected* events.

    *counted* rows take quota; *clock_held* rows are held because of their timestamp and take none. Both have each event
    once: copies in one batch were received at the same time, and the first one counts. *ages* has the age in days of
    each counted event that the retention of some organization may exclude. The retention is known after the admission.
    *places* are those of the events in the body.
    """

    rows: Mapping[int, EventRow]
    counted: Sequence[EventRow]
    clock_held: Sequence[EventRow]
    ages: Mapping[Identity, int]
    rejected: tuple[Rejection, ...]
    places: EventPlaces

    @classmethod
    def of(
        cls,
        rows: Mapping[int, EventRow],
        rejected: Iterable[Rejection],
        context: BatchContext,
        places: EventPlaces,
    ) -> "ParsedBatch":
        """Divide *rows* into those that take quota and those held because of their timestamp."""
        counted = first_of_each([row for row in rows.values() if not row.reason])
        clock_held = first_of_each([row for row in rows.values() if row.reason])
        ages = {
            row.identity: context.age_in_days(row) for row in counted if row.event_timestamp < context.kept_by_all_text
        }
        return cls(
            rows=rows, counted=counted, clock_held=clock_held, ages=ages, rejected=tuple(rejected), places=places
        )

    @property
    def kept_by_all(self) -> int:
        """The number of counted events that every retention includes."""
        return len(self.counted) - len(self.ages)

    def require_whole(self) -> None:
        """Require that no event is rejected.

        Raises:
            RejectedEventsError: an event is rejected.
        """
        if self.rejected:
            raise RejectedEventsError(self.rejected)

    def hold_past(self, retention_days: int) -> "ParsedBatch":
        """Hold the events that are older than the retention, as for a Segment SDK."""
        past = self._past(retention_days)
        if not past:
            return self
        held = [structs.replace(row, reason=HELD_FOR_CLOCK) for row in self.counted if row.identity in past]
        counted = [row for row in self.counted if row.identity not in past]
        clock_held = {row.identity: row for row in (*self.clock_held, *held)}
        return replace(self, counted=counted, clock_held=list(clock_held.values()))

    def reject_past(self, retention_days: int) -> "ParsedBatch":
        """Reject the events that are older than the retention.

        Raises:
            InvalidError: no event is left.
        """
        past = self._past(retention_days)
        if not past:
            return self
        error = FieldError(
            location=self.places.time_member,
            code="out_of_range",
            message=f"Expected a time at most {retention_days} days ago and at most 24 hours ahead.",
        )
        rejected = [
            Rejection(index=index, event_id=row.event_id, errors=self.places.locate([error], index))
            for index, row in self.rows.items()
            if row.identity in past
        ]
        rows = {index: row for index, row in self.rows.items() if row.identity not in past}
        counted = [row for row in self.counted if row.identity not in past]
        if not rows:
            raise NoValidEventError([*self.rejected, *rejected], is_batch=self.places.is_list)
        return replace(self, rows=rows, counted=counted, rejected=(*self.rejected, *rejected))

    def _past(self, retention_days: int) -> set[Identity]:
        return {identity for identity, age in self.ages.items() if age > retention_days}


def first_of_each(rows: Sequence[EventRow]) -> Sequence[EventRow]:
    """Return the first of the *rows* of each event, in order. Rows with different ids are different events."""
    if len({row.event_id for row in rows}) == len(rows):
        return rows
    first: dict[Identity, EventRow] = {}
    for row in rows:
        first.setdefault(row.identity, row)
    return list(first.values())


def parse_event_batch(tenant: Tenant, batch: Batch, *, now: datetime) -> ParsedBatch:
    """Parse the events of POST /v1/events.

    The first `MAX_EXPLAINED` invalid ones have the errors of all their fields.

    Raises:
        InvalidError: no event is valid, or a member of the batch is not.
        TenantMismatchError: the batch or an event names another organization.
    """
    if batch.organization_id is not None:
        require_own(tenant, (Mention(source=MentionSource.BODY, text=batch.organization_id),))
    parse, short = parse_event, partial(parse_event, explain=refuse_invalid_event)
    places = EventPlaces(steps=(EVENTS_MEMBER,))
    context = _context(tenant, now, has_escapes=batch.has_escapes)
    return _parse(context, batch.events, (parse, short), places, errors=batch.errors)


def parse_cloud_events(tenant: Tenant, events: Sequence[Raw], *, is_batch: bool, now: datetime) -> ParsedBatch:
    """Parse CloudEvents: those of a list, or the one that is the body.

    Raises:
        InvalidError: no event is valid.
        TenantMismatchError: an event names another organization.
    """

    def parse(raw: Raw, context: BatchContext, explain: ExplainCloudEvent) -> EventRow:
        event = bytes(raw)
        require_own(tenant, find_mentions(event))
        return parse_cloud_event(event, context, explain=explain)

    each = partial(parse, explain=explain_invalid_cloud_event), partial(parse, explain=refuse_invalid_cloud_event)
    return _parse(_context(tenant, now), events, each, EventPlaces(is_list=is_batch, time_member="time"))


def parse_segment_calls(tenant: Tenant, batch: SegmentBatch, *, event_type: str | None, now: datetime) -> ParsedBatch:
    """Parse the calls of a Segment SDK.

    *event_type* comes from the path, None where each call has its own.

    Raises:
        InvalidError, TenantMismatchError: as for `parse_event_batch`.
        TooLargeError: the shared members are too large for the number of calls.
    """
    shared = SharedMembers.of(batch)

    def parse(raw: Raw, context: BatchContext) -> EventRow:
        if not shared.objects and (row := find_usual_row(raw, context, event_type)) is not None:
            return row
        call = bytes(raw)
        require_own(tenant, find_mentions(call))
        return parse_segment_message(call, context, event_type=event_type, shared=shared)

    places = EventPlaces(steps=(SEGMENT_MEMBER,), is_list=event_type is None, time_member="timestamp")
    return _parse(_context(tenant, now), batch.batch, (parse, parse), places)


def require_own(tenant: Tenant, mentions: tuple[Mention, ...]) -> None:
    """Refuse *mentions* in a body that name another organization than *tenant*.

    Raises:
        TenantMismatchError: one of them does.
    """
    if mentions:
        resolve(tenant, mentions, base_domain="").require_accepted()  # a body names no host


def _context(tenant: Tenant, now: datetime, *, has_escapes: bool = True) -> BatchContext:
    return BatchContext(
        organization_id=tenant.organization_id, received_at=now, app_id=tenant.app_id, has_escapes=has_escapes
    )


def _parse(
    context: BatchContext,
    raws: Iterable[Raw],
    parse: tuple[ParseOne, ParseOne],
    places: EventPlaces,
    *,
    errors: Sequence[FieldError] = (),
) -> ParsedBatch:
    """Parse *raws*, the events at *places* in the body.

    *parse* has the parser of the events, and the one that is used after `MAX_EXPLAINED` invalid events.

    The *errors* of the batch are raised after all events were parsed, because a mismatch of an event comes first.
    """
    rows: dict[int, EventRow] = {}
    rejected: list[Rejection] = []
    first, further = parse
    for index, raw in enumerate(raws):
        try:
            rows[index] = (first if len(rejected) < MAX_EXPLAINED else further)(raw, context)
        except TenantMismatchError as error:
            place = locate(BODY, *places.steps_to(index), ORGANIZATION_MEMBER)
            raise TenantMismatchError(f"{error.detail} It is at {place}.", error.sources) from error
        except InvalidEventError as error:
            located = places.locate(error.errors, index)
            rejected.append(Rejection(index=index, event_id=error.event_id, errors=located))
    if errors or not rows:
        raise NoValidEventError(rejected, errors, is_batch=places.is_list)
    return ParsedBatch.of(rows, rejected, context, places)
