"""Parse the events of a request, each alone, so that one bad event rejects only itself."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from msgspec import Raw

from tenancy.errors import BODY, FieldError, TenantMismatchError
from tenancy.rules.events.batch import Batch, SegmentBatch
from tenancy.rules.events.cloud_event_errors import explain_invalid_cloud_event, refuse_invalid_cloud_event
from tenancy.rules.events.cloud_events import ExplainCloudEvent, parse_cloud_event
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.event_errors import MAX_EXPLAINED, refuse_invalid_event
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError, Rejection
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.events.shared_members import SharedMembers
from tenancy.rules.events.usual_calls import find_usual_calls
from tenancy.rules.events.usual_events import find_usual_events
from tenancy.rules.json_members import locate
from tenancy.rules.resolution import ORGANIZATION_MEMBER, Mention, MentionSource, find_mentions, resolve
from tenancy.rules.tenant import Tenant
from tenancy.use_cases.ingest.parsed_batch import EventPlaces, NoValidEventError, ParsedBatch

EVENTS_MEMBER: Final = "events"  # of the body of POST /v1/events
SEGMENT_MEMBER: Final = "batch"

NONE_USUAL: Final[Mapping[int, EventRow]] = MappingProxyType({})

type ParseOne = Callable[[Raw, BatchContext], EventRow]


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
    usual = find_usual_events(batch.events, context)
    return _parse(context, batch.events, (parse, short), places, usual=usual, errors=batch.errors)


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
        call = bytes(raw)
        require_own(tenant, find_mentions(call))
        return parse_segment_message(call, context, event_type=event_type, shared=shared)

    places = EventPlaces(steps=(SEGMENT_MEMBER,), is_list=event_type is None, time_member="timestamp")
    context = _context(tenant, now)
    usual = NONE_USUAL if shared.objects else find_usual_calls(batch.batch, context, event_type)
    return _parse(context, batch.batch, (parse, parse), places, usual=usual)


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
    raws: Sequence[Raw],
    parse: tuple[ParseOne, ParseOne],
    places: EventPlaces,
    *,
    usual: Mapping[int, EventRow] = NONE_USUAL,
    errors: Sequence[FieldError] = (),
) -> ParsedBatch:
    """Parse *raws*, the events at *places* in the body.

    *usual* has the rows that are made already, by index. *parse* has the parser of the other events, and the one that
    is used after `MAX_EXPLAINED` invalid events.

    The *errors* of the batch are raised after all events were parsed, because a mismatch of an event comes first.
    """
    found: dict[int, EventRow] = {}
    rejected: list[Rejection] = []
    first, further = parse
    others = [index for index in range(len(raws)) if index not in usual] if len(usual) < len(raws) else ()
    for index in others:
        try:
            found[index] = (first if len(rejected) < MAX_EXPLAINED else further)(raws[index], context)
        except TenantMismatchError as error:
            place = locate(BODY, *places.steps_to(index), ORGANIZATION_MEMBER)
            raise TenantMismatchError(f"{error.detail} It is at {place}.", error.sources) from error
        except InvalidEventError as error:
            located = places.locate(error.errors, index)
            rejected.append(Rejection(index=index, event_id=error.event_id, errors=located))
    rows = dict(sorted([*usual.items(), *found.items()])) if found else usual
    if errors or not rows:
        raise NoValidEventError(rejected, errors, is_batch=places.is_list)
    return ParsedBatch.of(rows, rejected, context, places)
