"""The rate limit: so many requests a minute from the first one, then none for a minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.rate_limit import BLOCK, WINDOW, RateWindow, count_request, rate_state

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STEPS = st.lists(st.integers(0, 90_000), max_size=60)


def windows(limit: int, steps: list[int]) -> list[tuple[datetime, RateWindow]]:
    """Return the window that each request leaves, *steps* (ms) after the one before."""
    found: list[tuple[datetime, RateWindow]] = []
    now, window = START, None
    for step in steps:
        now += timedelta(milliseconds=step)
        window = count_request(window, limit=limit, now=now)
        found.append((now, window))
    return found


def test_a_window_begins_with_its_first_request_and_ends_a_minute_later() -> None:
    [(_, first), (_, second)] = windows(2, [0, 59_999])
    assert (first.requests, second.requests) == (1, 2)
    assert first.ends_at == second.ends_at == START + WINDOW


def test_the_first_request_over_the_limit_blocks_for_a_minute_and_later_ones_no_longer() -> None:
    found = windows(2, [0, 10_000, 10_000, 10_000, 10_000])
    assert [window.requests > 2 for _, window in found] == [False, False, True, True, True]
    assert {window.ends_at for _, window in found[2:]} == {START + timedelta(seconds=20) + BLOCK}


def test_who_is_refused_is_told_when_it_begins_anew_in_whole_seconds() -> None:
    now, window = windows(1, [0, 30_001])[-1]
    rate = rate_state(window, limit=1, now=now)
    assert (rate.is_exceeded, rate.remaining, rate.seconds_left) == (True, 0, 60)
    assert rate_state(window, limit=1, now=window.ends_at - timedelta(milliseconds=1)).seconds_left == 1


@given(st.integers(1, 20), STEPS)
def test_no_window_admits_more_than_the_limit(limit: int, steps: list[int]) -> None:
    admitted: dict[datetime, int] = {}
    for _, window in windows(limit, steps):
        if window.requests <= limit:
            admitted[window.ends_at] = admitted.get(window.ends_at, 0) + 1
    assert max(admitted.values(), default=0) <= limit


@given(st.integers(1, 20), STEPS)
def test_a_higher_limit_admits_at_once(limit: int, steps: list[int]) -> None:
    """A tier change keeps the window; only what it may hold is another number."""
    for now, window in windows(limit, steps):
        assert count_request(window, limit=1_000, now=now).requests <= 1_000
