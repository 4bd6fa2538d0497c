"""The windows that a page in the order of storage searches."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Self

from tenancy.rules.events.row import MAX_CLOCK_AHEAD
from tenancy.rules.stored_events import EventFilter, ReceivedPosition
from tenancy.rules.unix_time import first_time_of, milliseconds_of
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.received_events import Window, estimate_rows_of_window
from tenancy.use_cases.events.fitting import FittingAmount, find_fitting_amount

SHRINKING: Final = 8  # times smaller after each check, and larger after each window


class WindowSize(NamedTuple):
    """The largest size of a window: *seconds* of storage, or *times* of one second, in milliseconds."""

    seconds: int
    times: int


class FittingWindow(NamedTuple):
    """A window, the rows that it reads, and the number of checks that found it."""

    window: Window
    rows: int
    checks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of a list.

    The times of its events are usually from *usual_start* to before *usual_end*: the list shows no earlier ones, and an
    event of a later time was stored by an older release only.
    """

    reader: TenantReader
    wanted: EventFilter
    usual_start: int
    usual_end: int

    @classmethod
    def of(cls, reader: TenantReader, wanted: EventFilter, *, now: datetime) -> Self:
        """Return the windows of the events that *reader* shows and *wanted* selects."""
        start = wanted.start_time if reader.first_kept is None else first_time_of(reader.first_kept)
        return cls(
            reader=reader,
            wanted=wanted,
            usual_start=max(wanted.start_time, start),
            usual_end=min(wanted.end_time, milliseconds_of(now + MAX_CLOCK_AHEAD)),
        )

    def first_size(self, seconds: int) -> WindowSize:
        """Return the size of the first window of a search of *seconds*."""
        return WindowSize(seconds, self.wanted.end_time - self.usual_start)

    def next_size(self, window: Window, seconds_left: int) -> WindowSize:
        """Return the size of the window after *window*. It may be larger."""
        size = self.first_size(min(SHRINKING * (window.end_second - window.start_second), seconds_left))
        if self._is_whole(window):
            return size
        return WindowSize(1, min(SHRINKING * (window.last_time - window.start_time + 1), size.times))

    def choose(self, after: ReceivedPosition, size: WindowSize, max_rows: int) -> FittingWindow:
        """Return a window after *after* of at most *size* and *max_rows*.

        If a second has more rows, the window is a part of that second: the events with the first times.
        """
        seconds = self._fit(lambda seconds: self._whole(after, seconds), size.seconds, max_rows)
        if seconds.rows <= max_rows:
            return FittingWindow(self._whole(after, seconds.amount), seconds.rows, seconds.checks)
        usual_times = self._usual_end_after(after) - self._start_after(after)
        times = self._fit(lambda times: self._part(after, times), min(size.times, usual_times), max_rows)
        return FittingWindow(self._part(after, times.amount), times.rows, seconds.checks + times.checks)

    def end_of(self, window: Window) -> ReceivedPosition:
        """Return the position after all wanted rows of *window*."""
        if window.last_time >= self.wanted.last_time:
            return ReceivedPosition.start_of(window.end_second)
        return ReceivedPosition(window.start_second, window.last_time + 1, "", "")

    def _fit(self, window_of: Callable[[int], Window], amount: int, max_rows: int) -> FittingAmount:
        def estimate(amount: int) -> int:
            return estimate_rows_of_window(self.reader, window_of(amount))

        return find_fitting_amount(estimate, amount, max_rows=max_rows, divisor=SHRINKING)

    def _is_whole(self, window: Window) -> bool:
        return (window.start_time, window.last_time) == (self.wanted.start_time, self.wanted.last_time)

    def _whole(self, after: ReceivedPosition, seconds: int) -> Window:
        return Window(
            start_second=after.created_at,
            end_second=after.created_at + seconds,
            start_time=self.wanted.start_time,
            last_time=self.wanted.last_time,
        )

    def _part(self, after: ReceivedPosition, times: int) -> Window:
        start = self._start_after(after)
        end = start + times
        return Window(
            start_second=after.created_at,
            end_second=after.created_at + 1,
            start_time=start,
            last_time=self.wanted.last_time if end >= self._usual_end_after(after) else end - 1,
        )

    def _start_after(self, after: ReceivedPosition) -> int:
        return max(after.event_timestamp, self.usual_start)

    def _usual_end_after(self, after: ReceivedPosition) -> int:
        return self.usual_end if self._start_after(after) < self.usual_end else self.wanted.end_time
