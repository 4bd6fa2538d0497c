"""A process counts the events that it took until a roll-up counts them, once each and within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.durations import SETTLING_TIME
from tenancy.rules.usage import CountedMonth, EventCounts, MonthSoFar, first_recent_hour
from tenancy.use_cases.admission import taken_events
from tenancy.use_cases.admission.taken_events import TakenEvents

NOW = datetime(2026, 11, 4, 12, 20, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
ACME, GLOBEX = UUID(int=1), UUID(int=2)
ONE_HOUR = timedelta(hours=1)


def counted(recent_from: datetime, recent_hours: dict[datetime, EventCounts] | None = None) -> CountedMonth:
    so_far = MonthSoFar(requests=0, requests_today=0, events=0, held=0, storage_bytes=0)
    return CountedMonth(so_far=so_far, recent_from=recent_from, recent_hours=recent_hours or {})


@dataclass(slots=True)
class Outage:
    """One process takes events. Its queue delivers them in order, and each roll-up counts the loaded events."""

    now: datetime = NOW
    taken: TakenEvents = field(default_factory=TakenEvents)
    received: list[datetime] = field(default_factory=list)  # of each event, in the order of the queue
    written: list[datetime] = field(default_factory=list)  # of the events that were loaded
    rolled_up: int = 0
    known: list[int] = field(default_factory=list)  # by the process after each step, with the total beside it
    total: list[int] = field(default_factory=list)
    month: CountedMonth = field(default_factory=lambda: counted(NOW.replace(day=1, hour=0, minute=0)))

    def run(self, steps: Sequence[tuple[str, int]]) -> None:
        for step, number in steps:
            getattr(self, step)(number)
            accepted, held = self.taken.sum_uncounted(ACME, self.month, now=self.now)
            assert accepted == held
            self.known.append(self.rolled_up + accepted)
            self.total.append(len(self.received))

    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def take(self, events: int) -> None:
        self.taken.add(ACME, accepted=events, held=events, at=self.now)
        self.take_elsewhere(events)

    def take_elsewhere(self, events: int) -> None:
        self.received += [self.now] * events

    def load(self, events: int) -> None:
        waiting = len(self.received) - len(self.written)
        self.written += [self.now] * min(events, waiting)

    def roll_up(self, _: int) -> None:
        loaded = self.received[: len(self.written)]
        hours = {moment.replace(minute=0) for moment in loaded}
        recent_from = first_recent_hour(self.oldest_arrival(), self.now)
        counts = {hour: sum(each.replace(minute=0) == hour for each in loaded) for hour in hours if hour >= recent_from}
        self.month = counted(recent_from, {hour: (events, events) for hour, events in counts.items()})
        self.rolled_up = len(loaded)

    def oldest_arrival(self) -> datetime | None:
        last = max(self.written, default=None)
        if last is None:
            return None
        since = min(self.now, last if last < self.now - SETTLING_TIME else self.now) - SETTLING_TIME
        return min(at for at, written in zip(self.received, self.written, strict=False) if written >= since)


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(st.just("take"), st.integers(1, 20)),
    st.tuples(st.just("load"), st.integers(1, 30)),
    st.tuples(st.just("roll_up"), st.just(0)),
)


@given(st.lists(STEPS, max_size=60))
def test_each_event_of_a_process_counts_once(steps: list[tuple[str, int]]) -> None:
    """The process is the only one. Its events wait in the queue for any time, and roll-ups come at any time."""
    outage = Outage()

    outage.run(steps)

    assert outage.known == outage.total


@given(st.lists(st.one_of(STEPS, st.tuples(st.just("take_elsewhere"), st.integers(1, 20))), max_size=60))
def test_no_event_counts_twice_beside_other_processes(steps: list[tuple[str, int]]) -> None:
    outage = Outage()

    outage.run(steps)

    assert all(known <= total for known, total in zip(outage.known, outage.total, strict=True))


def test_events_stay_counted_while_the_queue_stands_still() -> None:
    outage = Outage()

    outage.run([("take", 20), ("load", 1), ("wait", 60), ("roll_up", 0), ("wait", 600), ("roll_up", 0), ("roll_up", 0)])

    assert outage.taken.sum_uncounted(ACME, outage.month, now=outage.now) == (19, 19)


def test_hours_whose_queue_was_read_are_forgotten() -> None:
    """Duplicates never become rows. They are free again when their hour is settled."""
    taken = TakenEvents()
    for hour in range(3):
        taken.add(ACME, accepted=10, held=1, at=NOW + hour * ONE_HOUR)
    taken.add(GLOBEX, accepted=5, held=0, at=NOW)
    later = NOW + 2 * ONE_HOUR

    found = [taken.sum_uncounted(ACME, counted(HOUR + hours * ONE_HOUR), now=later) for hours in (0, 1, 0, 2)]

    assert found == [(30, 3), (20, 2), (20, 2), (10, 1)]
    assert taken.sum_uncounted(GLOBEX, counted(HOUR), now=later) == (5, 0)


def test_events_counted_before_do_not_hide_new_ones() -> None:
    taken, month = TakenEvents(), counted(HOUR, {HOUR: (900, 90)})
    taken.sum_uncounted(ACME, month, now=NOW)

    taken.add(ACME, accepted=10, held=2, at=NOW)

    assert taken.sum_uncounted(ACME, month, now=NOW) == (10, 2)
    assert taken.sum_uncounted(ACME, counted(HOUR, {HOUR: (904, 91)}), now=NOW) == (6, 1)


def test_events_of_other_processes_never_add_up() -> None:
    taken = TakenEvents()
    taken.add(ACME, accepted=10, held=2, at=NOW)

    found = taken.sum_uncounted(ACME, counted(HOUR, {HOUR: (900, 90)}), now=NOW)

    assert found == (0, 0)


def test_fewer_rows_than_before_add_nothing() -> None:
    """An erasure of a data subject removes rows."""
    taken = TakenEvents()
    taken.add(ACME, accepted=10, held=0, at=NOW)

    found = [taken.sum_uncounted(ACME, counted(HOUR, {HOUR: (events, 0)}), now=NOW)[0] for events in (4, 1, 4, 5)]

    assert found == [6, 6, 6, 5]


def test_cancelled_events_are_removed_once() -> None:
    taken = TakenEvents()
    taken.add(ACME, accepted=10, held=2, at=NOW)

    for _ in range(2):
        taken.cancel(ACME, accepted=7, held=2, at=NOW)
    taken.cancel(GLOBEX, accepted=7, held=2, at=NOW)
    taken.add(GLOBEX, accepted=1, held=0, at=NOW)

    assert taken.sum_uncounted(ACME, counted(HOUR), now=NOW) == (0, 0)
    assert taken.sum_uncounted(GLOBEX, counted(HOUR), now=NOW) == (1, 0)


def test_events_of_another_month_do_not_count() -> None:
    taken, december = TakenEvents(), datetime(2026, 12, 1, tzinfo=UTC)
    taken.add(ACME, accepted=10, held=2, at=december - timedelta(microseconds=1))
    taken.add(ACME, accepted=1, held=0, at=december)

    found = taken.sum_uncounted(ACME, counted(december), now=december)

    assert found == (1, 0)


def test_memory_of_taken_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The organizations that sent nothing for the longest time are forgotten, not the one that sends."""
    monkeypatch.setattr(taken_events, "MAX_HOURS", 50)
    taken, start = TakenEvents(), HOUR.replace(day=1, hour=0)

    for number in range(40):
        for each in (ACME, UUID(int=100 + number)):
            taken.add(each, accepted=1, held=0, at=start + number * ONE_HOUR)
    end = start + 39 * ONE_HOUR

    assert taken.sum_uncounted(ACME, counted(start), now=end) == (40, 0)
    assert sum(len(hours) for hours in taken._taken.values()) == taken._hours <= 50
    assert taken.sum_uncounted(UUID(int=139), counted(start), now=end) == (1, 0)
    assert taken.sum_uncounted(UUID(int=100), counted(start), now=end) == (0, 0)


def test_hours_of_former_months_take_no_memory() -> None:
    """While Redis answers, no roll-up is read that tells which hours are settled."""
    taken = TakenEvents()

    for day in range(400):
        for hour in range(24):
            taken.add(ACME, accepted=1, held=0, at=NOW + timedelta(days=day, hours=hour))

    assert sum(len(hours) for hours in taken._taken.values()) == taken._hours <= 31 * 24
