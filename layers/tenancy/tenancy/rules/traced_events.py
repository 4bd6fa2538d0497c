"""Traced events: the ids that a client asks for, and where each event is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

MAX_TRACED_IDS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedId:
    """An event that a client asks for.

    *event_timestamp* is in milliseconds since 1970. None means that the client gave no value.
    """

    event_id: str
    device_id: str | None = None
    event_timestamp: int | None = None


class EventState(StrEnum):
    """The state of an event. `unknown`: never received, still queued, erased or expired."""

    STORED = "stored"
    HELD = "held"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvent:
    """An event that a store has. *reason* is empty unless the event is held."""

    device_id: str
    event_timestamp: datetime
    received_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEvent:
    """The answer for one id. *found* is None for an unknown event."""

    asked: TracedId
    state: EventState
    found: FoundEvent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The answers in the order of the ids.

    *queue_age_seconds* is the time from receipt to storage that 99 of 100 events took at most, of events that were
    stored lately. *last_stored_at* is when the organization's last event was stored. They are None if there are none.
    """

    events: list[TracedEvent]
    queue_age_seconds: float | None
    last_stored_at: datetime | None
