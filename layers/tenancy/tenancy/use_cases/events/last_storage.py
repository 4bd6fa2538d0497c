"""The time at which an organization's last event was stored."""

from datetime import datetime, timedelta
from typing import Final

from tenancy.rules.durations import LAST_STORAGE_SPAN, QUEUE_AGE_SPAN, RECEIVED_EVENTS_DELAY
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.traced_events import estimate_rows_stored, find_last_storage
from tenancy.use_cases.events.fitting import MAX_ROWS_OF_PAGE, find_fitting_amount

SHRINKING: Final = 8  # times shorter after each check, and longer after each period without events
MAX_PERIODS: Final = 8


def find_last_stored_at(reader: TenantReader, now: datetime) -> datetime | None:
    """Return when the last event was stored, in seconds. None if none was in 7 days.

    The search goes back in periods that read few rows. It ends after `MAX_PERIODS`, then without a result.
    """
    end = int((now + RECEIVED_EVENTS_DELAY).timestamp())  # clocks of two hosts differ
    first = int((now - LAST_STORAGE_SPAN).timestamp())
    seconds = QUEUE_AGE_SPAN // timedelta(seconds=1)
    for _ in range(MAX_PERIODS):
        seconds = _fit(reader, end, min(seconds, end - first))
        found = find_last_storage(reader, start=end - seconds, end=end)
        end -= seconds
        if found or end <= first:
            return found
        seconds *= SHRINKING
    return None


def _fit(reader: TenantReader, end: int, seconds: int) -> int:
    def estimate(seconds: int) -> int:
        return estimate_rows_stored(reader, start=end - seconds, end=end)

    return find_fitting_amount(estimate, seconds, max_rows=MAX_ROWS_OF_PAGE, divisor=SHRINKING).amount
