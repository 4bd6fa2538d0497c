"""Counts the calls of Segment SDKs that are no event, by cause.

The answer does not say so: SDKs cannot act on it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tenancy.gateway.metrics import SEGMENT_CALLS_REJECTED, count
from tenancy.rules.events.row import Rejection
from tenancy.use_cases.ingest.parsed_batch import REFUSED_BATCHES, NoValidEventError, batch_cause


def count_rejected_calls(rejected: Iterable[Rejection]) -> None:
    """Count each rejected call under the code of its first error."""
    for cause, calls in Counter(each.errors[0].code for each in rejected).items():
        count(SEGMENT_CALLS_REJECTED, amount=calls, cause=cause)


@contextmanager
def counts_refused_batches() -> Iterator[None]:
    """Count a batch that is refused for its content, because SDKs drop it.

    A batch without a valid call counts its calls. A batch that cannot be read counts 1: its calls are unknown.
    """
    try:
        yield
    except NoValidEventError as refusal:
        count_rejected_calls(refusal.rejected)
        raise
    except REFUSED_BATCHES as refusal:
        count(SEGMENT_CALLS_REJECTED, cause=batch_cause(refusal))
        raise
