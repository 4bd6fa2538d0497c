"""The events that this process admitted without Redis since the last roll-up."""

from datetime import datetime
from typing import Final
from uuid import UUID

MAX_ORGANIZATIONS: Final = 10_000

type Amounts = tuple[int, int]


class TakenEvents:
    """Counts accepted and held events by organization and minute.

    PostgreSQL has all events up to the last roll-up. So the quota can be exceeded by at most the events of other
    processes since then. If this process meets too many organizations, it forgets all counts. That bound still holds.
    """

    def __init__(self) -> None:
        """Begin without counts."""
        self._taken: dict[UUID, dict[datetime, Amounts]] = {}

    def add(self, organization_id: UUID, *, accepted: int, held: int, at: datetime) -> None:
        """Add events that were received *at* that time. Negative numbers give events back."""
        if len(self._taken) >= MAX_ORGANIZATIONS and organization_id not in self._taken:
            self._taken.clear()
        minutes = self._taken.setdefault(organization_id, {})
        minute = _minute_of(at)
        accepted_before, held_before = minutes.get(minute, (0, 0))
        minutes[minute] = (accepted_before + accepted, held_before + held)

    def since(self, organization_id: UUID, settled_at: datetime) -> Amounts:
        """Return the accepted and the held events from the minute of *settled_at* on.

        Forget earlier ones.
        """
        minutes = self._taken.get(organization_id, {})
        for minute in [each for each in minutes if each < _minute_of(settled_at)]:
            del minutes[minute]
        return sum(accepted for accepted, _ in minutes.values()), sum(held for _, held in minutes.values())


def _minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
