"""Trace events: say where each one is, so that a customer can explain a difference."""

from collections.abc import Callable, Sequence
from datetime import datetime

from tenancy.rules.durations import QUEUE_AGE_SPAN, TRACED_SPAN
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.traced_events import EventState, FoundEvent, Trace, TracedEvent, TracedId
from tenancy.rules.unix_time import milliseconds_of
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.traced_events import measure_delivery, trace_held_events, trace_stored_events
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.events.last_storage import find_last_stored_at
from tenancy.use_cases.events.retained_events import retained_events


def trace_events(
    db: Homes, client: Callable[[], Client], tenant: AdmittedTenant, asked: Sequence[TracedId], *, now: datetime
) -> Trace:
    """Return where each of the events *asked* is, in their order.

    An event of another organization is unknown, like an event that was never received. An id without a time is searched
    among the events of the last 7 days.

    Raises:
        UnavailableError: a store is unreachable.
    """
    reader = retained_events(db, client, tenant, now=now)
    since = milliseconds_of(now - TRACED_SPAN)
    # Held events first: an event that is released meanwhile is then found in at least one table.
    held = trace_held_events(reader, asked, since=since)
    stored = trace_stored_events(reader, asked, since=since)
    age = measure_delivery(reader, now - QUEUE_AGE_SPAN)
    events = [_traced(each, stored.get(index), held.get(index)) for index, each in enumerate(asked)]
    return Trace(events=events, queue_age_seconds=age, last_stored_at=find_last_stored_at(reader, now))


def _traced(asked: TracedId, stored: FoundEvent | None, held: FoundEvent | None) -> TracedEvent:
    if stored is not None:
        return TracedEvent(asked=asked, state=EventState.STORED, found=stored)
    if held is not None:
        return TracedEvent(asked=asked, state=EventState.HELD, found=held)
    return TracedEvent(asked=asked, state=EventState.UNKNOWN, found=None)
