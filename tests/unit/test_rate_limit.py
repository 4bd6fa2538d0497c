"""The rate limit: a number of requests per minute, then a block of one minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.rate_limit import BLOCK, BLOCKS, NO_BLOCK, WINDOW, RateWindow, count_request, rate_state
from tenancy.rules.tenant import RateBucket

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STEPS = st.lists(st.integers(0, 90_000), max_size=60)


def windows(limit: int, steps: list[int], block: timedelta = BLOCK) -> list[tuple[datetime, RateWindow]]:
    """Return the window after each request.

    A step is the time since the request before, in ms.
    """
    found: list[tuple[datetime, RateWindow]] = []
    now, window = START, None
    for step in steps:
        now += timedelta(milliseconds=step)
        window = count_request(window, limit=limit, block=block, now=now)
        found.append((now, window))
    return found


def test_window_lasts_one_minute_from_its_first_request() -> None:
    [(_, first), (_, second)] = windows(2, [0, 59_999])

    assert (first.requests, second.requests) == (1, 2)
    assert first.ends_at == second.ends_at == START + WINDOW


def test_only_the_first_refused_request_starts_the_block() -> None:
    found = windows(2, [0, 10_000, 10_000, 10_000, 10_000])

    assert [window.requests > 2 for _, window in found] == [False, False, True, True, True]
    assert {window.ends_at for _, window in found[2:]} == {START + timedelta(seconds=20) + BLOCK}


def test_without_a_block_the_window_ends_when_its_minute_does() -> None:
    found = windows(2, [0, 10_000, 10_000, 10_000, 29_999], NO_BLOCK)

    assert [window.requests > 2 for _, window in found] == [False, False, True, True, True]
    assert {window.ends_at for _, window in found} == {START + WINDOW}


def test_only_write_keys_are_not_blocked() -> None:
    assert {bucket for bucket, block in BLOCKS.items() if not block} == {RateBucket.INGEST}
    assert set(BLOCKS) == set(RateBucket)


def test_seconds_left_are_rounded_up() -> None:
    now, window = windows(1, [0, 30_001])[-1]

    rate = rate_state(window, limit=1, now=now)

    assert (rate.is_exceeded, rate.remaining, rate.seconds_left) == (True, 0, 60)
    assert rate_state(window, limit=1, now=window.ends_at - timedelta(milliseconds=1)).seconds_left == 1


@given(st.integers(1, 20), STEPS, st.sampled_from([BLOCK, NO_BLOCK]))
def test_no_window_admits_more_than_the_limit(limit: int, steps: list[int], block: timedelta) -> None:
    admitted: dict[datetime, int] = {}

    for _, window in windows(limit, steps, block):
        if window.requests <= limit:
            admitted[window.ends_at] = admitted.get(window.ends_at, 0) + 1

    assert max(admitted.values(), default=0) <= limit


@given(st.integers(1, 20), STEPS)
def test_higher_limit_admits_at_once(limit: int, steps: list[int]) -> None:
    """A change of tier keeps the window and changes only its limit."""
    for now, window in windows(limit, steps):
        assert count_request(window, limit=1_000, block=BLOCK, now=now).requests <= 1_000
