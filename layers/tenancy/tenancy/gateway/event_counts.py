"""Counts the events of batches by their result: accepted, held, or rejected by cause."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tenancy.gateway.metrics import EVENTS_ACCEPTED, EVENTS_HELD, EVENTS_REJECTED, count
from tenancy.rules.events.row import Rejection
from tenancy.use_cases.ingest.ingest_events import Receipt
from tenancy.use_cases.ingest.parsed_batch import NoValidEventError, RejectedEventsError


def count_events(receipt: Receipt) -> None:
    """Count the events of an accepted batch."""
    if receipt.accepted:
        count(EVENTS_ACCEPTED, amount=receipt.accepted)
    if receipt.held:
        count(EVENTS_HELD, amount=receipt.held)
    _count_rejected(receipt.rejected)


@contextmanager
def counts_events_of_refused_batches() -> Iterator[None]:
    """Count the invalid events of a batch that is refused because of them."""
    try:
        yield
    except (NoValidEventError, RejectedEventsError) as refusal:
        _count_rejected(refusal.rejected)
        raise


def _count_rejected(rejected: Iterable[Rejection]) -> None:
    """Count each rejected event under the code of its first error."""
    for cause, events in Counter(each.errors[0].code for each in rejected).items():
        count(EVENTS_REJECTED, amount=events, cause=cause)
