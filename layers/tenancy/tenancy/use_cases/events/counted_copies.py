"""The copies that count, of events whose keys are known."""

from collections.abc import Mapping, Sequence
from typing import Final

from tenancy.rules.stored_events import EventKey, StoredEvent
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.stored_events import estimate_rows_of_keys, list_events_by_keys
from tenancy.use_cases.events.fitting import shrink_until

ROWS_OF_KEYS: Final = 60_000


def list_counted_copies(
    reader: TenantReader, keys: Sequence[EventKey]
) -> tuple[Sequence[EventKey], Mapping[EventKey, StoredEvent]]:
    """Return the first of *keys*, at least one, and their events.

    The query of several keys reads at most `ROWS_OF_KEYS` rows. An event that has been erased meanwhile is missing.
    """
    if not keys:
        return keys, {}

    def fits(number: int) -> bool:
        return estimate_rows_of_keys(reader, keys[:number]) <= ROWS_OF_KEYS

    looked_up = keys[: shrink_until(fits, len(keys))]
    return looked_up, list_events_by_keys(reader, looked_up)
