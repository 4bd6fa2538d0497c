"""The events that this process admitted and that no roll-up has counted yet."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tenancy.rules.usage import CountedMonth, EventCounts, month_of

MAX_HOURS: Final = 20_000  # of all organizations together, at most 744 of one: at most 11 MB


@dataclass(slots=True, kw_only=True)
class _Hour:
    """The events of one hour that this process took and no roll-up has counted.

    *counted* are the events of all processes that the last known roll-up had counted of this hour.
    """

    accepted: int = 0
    held: int = 0
    counted: EventCounts = (0, 0)

    def remove(self, accepted: int, held: int) -> None:
        self.accepted = max(0, self.accepted - accepted)
        self.held = max(0, self.held - held)

    def remove_counted(self, counted: EventCounts) -> None:
        """Remove as many events as were counted of this hour since the last call."""
        (accepted, held), (accepted_before, held_before) = counted, self.counted
        self.remove(max(0, accepted - accepted_before), max(0, held - held_before))
        self.counted = max(accepted, accepted_before), max(held, held_before)


class TakenEvents:
    """Counts the events that this process took, by organization and hour, until a roll-up counts them.

    A roll-up counts rows. Events that wait in the queue have none, so an hour is kept until its events have left the
    queue. Events of other processes are not known here. If they are counted first, in the same hour, they are taken
    for this process's events. So the sum is never above this process's uncounted events. Duplicates are among these
    until their hour is settled, because they never become rows.

    Memory is bounded. The organizations that sent nothing for the longest time are forgotten first.
    """

    def __init__(self) -> None:
        """Begin without counts."""
        self._taken: dict[UUID, dict[datetime, _Hour]] = {}  # the organization that sent last is last
        self._hours = 0

    def add(self, organization_id: UUID, *, accepted: int, held: int, at: datetime) -> None:
        """Add events that were received *at* that time."""
        hour = self._hour(organization_id, at)
        hour.accepted += accepted
        hour.held += held

    def cancel(self, organization_id: UUID, *, accepted: int, held: int, at: datetime) -> None:
        """Remove events that were added *at* that time and not enqueued.

        A forgotten hour stays forgotten.
        """
        hour = self._taken.get(organization_id, {}).get(_hour_of(at))
        if hour is not None:
            hour.remove(accepted, held)

    def sum_uncounted(self, organization_id: UUID, month: CountedMonth, *, now: datetime) -> EventCounts:
        """Return the accepted and the held events that are not in *month*.

        Forget the hours before its recent ones.
        """
        hours = self._taken.get(organization_id, {})
        for settled in [hour for hour in hours if hour < month.recent_from]:
            del hours[settled]
            self._hours -= 1
        self._hour(organization_id, now)  # so that events counted before are not taken for events that come now
        hours = self._taken[organization_id]
        for hour, taken in hours.items():
            taken.remove_counted(month.recent_hours.get(hour, (0, 0)))
        return sum(taken.accepted for taken in hours.values()), sum(taken.held for taken in hours.values())

    def _hour(self, organization_id: UUID, at: datetime) -> _Hour:
        hours, hour = self._taken.pop(organization_id, {}), _hour_of(at)
        if hour not in hours:
            self._hours -= len(hours)
            month = month_of(hour.date())
            hours = {each: taken for each, taken in hours.items() if month.start <= each.date() < month.end}
            self._hours += len(hours)
            self._make_room()
            hours[hour] = _Hour()
            self._hours += 1
        self._taken[organization_id] = hours
        return hours[hour]

    def _make_room(self) -> None:
        while self._hours >= MAX_HOURS and self._taken:
            self._hours -= len(self._taken.pop(next(iter(self._taken))))


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
