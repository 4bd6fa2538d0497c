"""Documents of POST /v1/events/trace."""

from datetime import datetime
from math import ceil
from typing import Annotated, Any, Final, Literal, TypedDict

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tenancy.gateway.answer_types import Time
from tenancy.gateway.documents.events import Name
from tenancy.gateway.times import format_time
from tenancy.rules.events.leap_seconds import replace_leap_second
from tenancy.rules.events.segment import NO_TIME
from tenancy.rules.stored_events import END_OF_EVENT_TIMES, FIRST_EVENT_TIME
from tenancy.rules.traced_events import MAX_TRACED_IDS, EventState, Trace, TracedEvent, TracedId
from tenancy.rules.unix_time import milliseconds_of, time_of

TIME_MEMBER: Final = "event_timestamp"
TIME_MAX_CHARACTERS: Final = 100
TRACED_TIME_TEXT: Final = (
    "Expected an RFC 3339 time with a zone in the years 1900 to 2299, such as 2026-11-24T12:00:00Z."
)


class _Time(msgspec.Struct):
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]


def parse_time(text: str) -> int:
    """Return the time in *text* in milliseconds since 1970.

    *text* has any spelling that POST /v1/events takes.

    Raises:
        ValueError: *text* has another form, or its time is out of range.
    """
    raw = msgspec.json.encode({TIME_MEMBER: text})
    try:
        moment = msgspec.json.decode(replace_leap_second(raw, TIME_MEMBER) or raw, type=_Time).event_timestamp
    except msgspec.ValidationError as error:
        raise ValueError(TRACED_TIME_TEXT) from error
    milliseconds = milliseconds_of(moment)
    if not FIRST_EVENT_TIME <= milliseconds < END_OF_EVENT_TIMES:
        raise ValueError(TRACED_TIME_TEXT)
    return milliseconds


def check_time(text: str) -> str:
    """Return *text* if it is a time.

    Raises:
        ValueError: as `parse_time`.
    """
    parse_time(text)
    return text


class TracedIdBody(BaseModel):
    """An event that the client asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    event_id: Name
    device_id: Name | None = None
    event_timestamp: Annotated[str, Field(max_length=TIME_MAX_CHARACTERS), AfterValidator(check_time)] | None = None

    def traced_id(self) -> TracedId:
        """Return the id with its time in milliseconds."""
        time = None if self.event_timestamp is None else parse_time(self.event_timestamp)
        return TracedId(event_id=self.event_id, device_id=self.device_id, event_timestamp=time)


class TraceBody(BaseModel):
    """The body of POST /v1/events/trace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: Annotated[list[TracedIdBody], Field(min_length=1, max_length=MAX_TRACED_IDS)]


class TracedEventAnswer(TypedDict):
    """The state of one event. *reason* is that of a held event."""

    event_id: str
    state: EventState
    reason: Literal["quota", "clock"] | None
    received_at: Time | None
    device_id: str | None
    event_timestamp: Time | None


class QueueAnswer(TypedDict):
    """The queue, by the organization's stored events.

    *age_seconds* is null if no event was stored in the last 15 minutes, *last_stored_at* if none was in 7 days.
    """

    age_seconds: int | None
    last_stored_at: Time | None


class TraceAnswer(TypedDict):
    """One event for each id, in the order of the request."""

    events: list[TracedEventAnswer]
    queue: QueueAnswer


def trace_document(trace: Trace) -> dict[str, Any]:
    """Return the answer: one entry for each id, in their order."""
    age = trace.queue_age_seconds
    return {
        "events": [_event(event) for event in trace.events],
        "queue": {
            "age_seconds": None if age is None else ceil(age),
            "last_stored_at": format_time(trace.last_stored_at) if trace.last_stored_at else None,
        },
    }


def _event(event: TracedEvent) -> dict[str, Any]:
    asked, found = event.asked, event.found
    has_time = found is not None and found.event_timestamp != NO_TIME
    return {
        "event_id": asked.event_id,
        "state": event.state.value,
        "reason": (found.reason or None) if found else None,
        "received_at": format_time(found.received_at) if found else None,
        "device_id": found.device_id if found else asked.device_id,
        "event_timestamp": format_time(found.event_timestamp) if found and has_time else _format_asked(asked),
    }


def _format_asked(asked: TracedId) -> str | None:
    milliseconds = asked.event_timestamp
    return None if milliseconds is None else format_time(time_of(milliseconds))
