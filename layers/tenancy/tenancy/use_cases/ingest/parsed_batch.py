"""The parsed events of a request, and the refusals of a batch that has none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from msgspec import structs

from tenancy.errors import MAX_ERRORS, FieldError, InvalidError, MalformedRequestError, TooLargeError
from tenancy.rules.events.row import BatchContext, EventRow, Rejection
from tenancy.rules.events.segment import HELD_FOR_CLOCK
from tenancy.rules.json_members import within_body

type Identity = tuple[str, str, str, str]


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
    """Events of a batch that must be taken as a whole are not valid. *rejected* has them."""

    def __init__(self, rejected: Sequence[Rejection]) -> None:
        """List the errors of the first rejected events."""
        super().__init__(
            f"No event of the batch is taken, because not all are valid ({len(rejected)} are not). `errors` lists the "
            "fields. Correct or omit these events, and send the batch again.",
            errors=list(islice(chain.from_iterable(each.errors for each in rejected), MAX_ERRORS)),
        )
        self.rejected = tuple(rejected)


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
