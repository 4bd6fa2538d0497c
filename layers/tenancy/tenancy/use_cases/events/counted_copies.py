"""The copies that count, of events whose keys are known."""

from collections.abc import Mapping, Sequence
from typing import Final

from tenancy.rules.stored_events import EventKey, StoredEvent
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.parameter_size import count_fitting
from tenancy.stores.clickhouse.stored_events import estimate_rows_of_keys, list_events_by_keys, parameters_of_key
from tenancy.use_cases.events.fitting import find_fitting_amount

SHRINKING: Final = 2  # times fewer keys after each check. So a page shows at least half of the events that fit.


def list_counted_copies(
    reader: TenantReader, keys: Sequence[EventKey], *, max_rows: int
) -> tuple[Sequence[EventKey], Mapping[EventKey, StoredEvent]]:
    """Return the first of *keys*, at least one, and their events.

    The query of several keys reads at most *max_rows* rows, and its parameters have a size that ClickHouse accepts. An
    event that has been erased meanwhile is missing.
    """
    if not keys:
        return keys, {}
    number = count_fitting([parameters_of_key(key) for key in keys])

    def estimate(number: int) -> int:
        return estimate_rows_of_keys(reader, keys[:number])

    looked_up = keys[: find_fitting_amount(estimate, number, max_rows=max_rows, divisor=SHRINKING).amount]
    return looked_up, list_events_by_keys(reader, looked_up)
