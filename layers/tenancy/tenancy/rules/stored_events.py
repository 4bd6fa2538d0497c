"""Stored events as GET /v1/events lists them: query, order, and positions of pages."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from uuid import UUID

from msgspec import Meta

from tenancy.rules.cursors import PagedList
from tenancy.rules.unix_time import first_time_of

# The range of ClickHouse's DateTime64, in milliseconds since 1970: the years 1900 to 2299.
FIRST_EVENT_TIME: Final = -2_208_988_800_000
END_OF_EVENT_TIMES: Final = 10_413_792_000_000
MAX_SECOND: Final = 2**32 - 1  # of ClickHouse's DateTime

type Milliseconds = Annotated[int, Meta(ge=FIRST_EVENT_TIME, le=END_OF_EVENT_TIMES)]
type Second = Annotated[int, Meta(ge=0, le=MAX_SECOND)]


class EventOrder(StrEnum):
    """The order of a list of events.

    `event_timestamp` is newest first by the time of the event, `received` oldest first by the time of storage.
    """

    EVENT_TIMESTAMP = "event_timestamp"
    RECEIVED = "received"


class EventKey(NamedTuple):
    """The identity of an event within its organization. Its order is the sort key of the table."""

    event_timestamp: Milliseconds
    device_id: str
    event_id: str


class ReceivedPosition(NamedTuple):
    """The position of an event in the order of storage: the second of its storage, then its key."""

    created_at: Second
    event_timestamp: Milliseconds
    device_id: str
    event_id: str

    @classmethod
    def start_of(cls, second: int) -> "ReceivedPosition":
        """Return the position before every event that was stored in *second*."""
        return cls(second, FIRST_EVENT_TIME, "", "")


class ReceivedRow(NamedTuple):
    """A copy of a stored event. Of several copies the one with the highest version counts."""

    position: ReceivedPosition
    version: int

    @property
    def key(self) -> EventKey:
        """The key of the event."""
        return EventKey(*self.position[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """A stored event: the copy that counts.

    *created_at* is the time of its storage in seconds since 1970. *app_id* is None without an app. *properties* and
    *user_properties* are the JSON texts that were sent.
    """

    key: EventKey
    event_type: str
    event_name: str
    session_id: str
    platform: str
    event_timestamp: datetime
    received_at: datetime
    app_id: UUID | None
    revenue: Decimal
    currency: str
    properties: str
    user_properties: str
    created_at: int
    version: int

    @property
    def received_row(self) -> ReceivedRow:
        """The copy that counts."""
        return ReceivedRow(ReceivedPosition(self.created_at, *self.key), self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """The events that a list shows. None is no condition.

    *from_day* (inclusive) and *to_day* (exclusive) are UTC days of the event's own time. With `NO_APP` as *app_id* only
    events without an app are shown.
    """

    from_day: date | None = None
    to_day: date | None = None
    event_type: str | None = None
    event_name: str | None = None
    device_id: str | None = None
    app_id: UUID | None = None

    @property
    def start_time(self) -> int:
        """The first time, in milliseconds since 1970."""
        return FIRST_EVENT_TIME if self.from_day is None else first_time_of(self.from_day)

    @property
    def end_time(self) -> int:
        """The time after the last one, in milliseconds since 1970."""
        return END_OF_EVENT_TIMES if self.to_day is None else first_time_of(self.to_day)

    @property
    def last_time(self) -> int:
        """The last time, in milliseconds since 1970."""
        return self.end_time - 1

    @property
    def is_by_time_only(self) -> bool:
        """Whether the sort key of the table finds all wanted events."""
        return (self.event_type, self.event_name, self.device_id, self.app_id) == (None,) * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """A list of events: the wanted events, and their order."""

    wanted: EventFilter
    order: EventOrder = EventOrder.EVENT_TIMESTAMP

    def newest_of(self, organization_id: UUID) -> PagedList[EventKey]:
        """Return the organization's list in the order of the events' own times."""
        return PagedList(
            name="events", organization_id=organization_id, position=EventKey, parameters=(self.order, self.wanted)
        )

    def received_of(self, organization_id: UUID) -> PagedList[ReceivedPosition]:
        """Return the organization's list in the order of storage."""
        return PagedList(
            name="events",
            organization_id=organization_id,
            position=ReceivedPosition,
            parameters=(self.order, self.wanted),
        )


class EventScan[Position](NamedTuple):
    """Some events of a list, in order, and the position after which the rest of the list begins.

    *end* is None if the list has ended.
    """

    events: list[StoredEvent]
    end: Position | None
