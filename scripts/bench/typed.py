"""The bodies of ingest as a user of msgspec would type them: the reference of the figure `ingest`."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

type Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
type Properties = dict[str, Any]


class TypedEvent(msgspec.Struct, forbid_unknown_fields=True):
    """An event of POST /v1/events."""

    event_type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    event_name: Name
    device_id: Name
    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    event_id: Name | None = None
    session_id: str | None = None
    properties: Properties | None = None
    user_properties: Properties | None = None
    revenue: str | float | None = None
    currency: str | None = None


class TypedBatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /v1/events."""

    events: list[TypedEvent]


class TypedCall(msgspec.Struct):
    """A call of a Segment SDK."""

    type: str
    messageId: str  # noqa: N815 - the SDKs' spelling
    anonymousId: str | None = None  # noqa: N815
    userId: str | None = None  # noqa: N815
    event: str | None = None
    timestamp: datetime | None = None
    context: Properties | None = None
    integrations: Properties | None = None
    properties: Properties | None = None


class TypedSegmentBatch(msgspec.Struct):
    """The body of POST /v1/batch."""

    batch: list[TypedCall]


batch_decoder: Final = msgspec.json.Decoder(TypedBatch)
segment_decoder: Final = msgspec.json.Decoder(TypedSegmentBatch)
