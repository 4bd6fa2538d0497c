"""Documents of stored events, and the query of their list."""

from typing import Annotated, Any, ClassVar, Final, TypedDict

import msgspec
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from tenancy.errors import FieldError, InvalidError
from tenancy.gateway.answer_size import MAX_EVENTS_BYTES
from tenancy.gateway.answer_types import Money, Time, Uuid
from tenancy.gateway.late_checks import LateCheck, QueryMembers
from tenancy.gateway.pages import fit_page, pagination_document
from tenancy.gateway.parameters import AppId, Cursor, Day, WholeNumber
from tenancy.gateway.periods import FIRST_DAY, LAST_DAY
from tenancy.gateway.times import format_time
from tenancy.rules.cursors import MAX_PAGE, Page
from tenancy.rules.events.fields import TYPE_MAX_CHARACTERS
from tenancy.rules.events.money import format_money
from tenancy.rules.json_members import NUL_TEXT
from tenancy.rules.stored_events import EventFilter, EventOrder, EventQuery, StoredEvent
from tenancy.rules.texts import NAME_MAX_CHARACTERS

EMPTY_OBJECT: Final = "{}"


def require_no_nul(text: str) -> str:
    """Return *text* if an event can have it.

    Raises:
        PydanticCustomError: it has U+0000.
    """
    if "\0" in text:
        raise PydanticCustomError("invalid_characters", NUL_TEXT)
    return text


TypeName = Annotated[str, Field(min_length=1, max_length=TYPE_MAX_CHARACTERS), AfterValidator(require_no_nul)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX_CHARACTERS), AfterValidator(require_no_nul)]


class EventsMembers(QueryMembers):
    """The query of GET /v1/events. A missing day is no bound."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    event_type: TypeName | None = None
    event_name: Name | None = None
    device_id: Name | None = None
    app_id: AppId | None = None
    order: EventOrder = EventOrder.EVENT_TIMESTAMP
    cursor: Cursor | None = None
    limit: Annotated[WholeNumber, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE

    def events(self) -> EventQuery:
        """Return the requested list.

        Raises:
            InvalidError: the period ends before it starts, or lies outside `FIRST_DAY` and `LAST_DAY`.
        """
        if not FIRST_DAY <= (self.from_ or FIRST_DAY) <= (self.to or LAST_DAY) <= LAST_DAY:
            message = f"`from` must be on or before `to`. Both must be between {FIRST_DAY} and {LAST_DAY}."
            location = "query/to" if self.to and (self.from_ or FIRST_DAY) > self.to else "query/from"
            raise InvalidError(message, errors=[FieldError(location=location, code="out_of_range", message=message)])
        return EventQuery(
            wanted=EventFilter(
                from_day=self.from_,
                to_day=self.to,
                event_type=self.event_type,
                event_name=self.event_name,
                device_id=self.device_id,
                app_id=self.app_id,
            ),
            order=self.order,
        )

    LATE_CHECKS: ClassVar = (LateCheck(("from", "to"), lambda members, _now: members.events()),)


class EventAnswer(TypedDict):
    """A stored event."""

    event_id: str
    event_type: str
    event_name: str
    device_id: str
    session_id: str | None
    platform: str
    event_timestamp: Time
    received_at: Time
    app_id: Uuid | None
    revenue: Money
    currency: str
    properties: dict[str, Any]
    user_properties: dict[str, Any]


def events_answer(page: Page[StoredEvent]) -> str:
    """Return the body of one page.

    `properties` and `user_properties` are the objects that were sent, character by character: no number is rounded, and
    no depth is too deep.
    """
    texts = [msgspec.json.encode(_event(event)).decode() for event in page.rows]
    fitted = fit_page(page, texts, max_bytes=MAX_EVENTS_BYTES)
    document = {
        "data": [msgspec.Raw(text.encode()) for text in texts[: len(fitted.rows)]],
        "pagination": pagination_document(fitted),
    }
    return msgspec.json.encode(document).decode()


def _event(event: StoredEvent) -> dict[str, Any]:
    return {
        "event_id": event.key.event_id,
        "event_type": event.event_type,
        "event_name": event.event_name,
        "device_id": event.key.device_id,
        "session_id": event.session_id or None,
        "platform": event.platform,
        "event_timestamp": format_time(event.event_timestamp),
        "received_at": format_time(event.received_at),
        "app_id": str(event.app_id) if event.app_id else None,
        "revenue": format_money(event.revenue),
        "currency": event.currency,
        "properties": _object(event.properties),
        "user_properties": _object(event.user_properties),
    }


def _object(text: str) -> msgspec.Raw:
    return msgspec.Raw((text or EMPTY_OBJECT).encode())
