"""When a replica may answer: its region, its lag, and the caller's own writes."""

from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.durations import CLOCK_TOLERANCE, REPLICA_LAG_LIMIT
from tenancy.rules.replica_reads import ReplicaState, WriteMark, has_written, is_current, may_hold

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
WAIT = REPLICA_LAG_LIMIT + CLOCK_TOLERANCE
TICK = timedelta(milliseconds=1)


def replica(*, position: int | None = None, lag: timedelta | None = timedelta(0)) -> ReplicaState:
    return ReplicaState(is_primary=False, position=position, lag=lag)


PRIMARY = ReplicaState(is_primary=True, position=None, lag=None)


@pytest.mark.parametrize(
    ("region", "pinned", "expected"),
    [
        ("eu-central-1", None, True),
        ("eu-central-1", "eu-central-1", True),
        ("us-east-1", None, True),
        ("us-east-1", "eu-central-1", False),
    ],
)
def test_pinned_data_stay_in_their_region(region: str, pinned: str | None, *, expected: bool) -> None:
    assert may_hold(region, pinned) is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (replica(lag=REPLICA_LAG_LIMIT), True),
        (replica(lag=REPLICA_LAG_LIMIT + TICK), False),
        (replica(lag=None), False),
        (PRIMARY, True),
    ],
)
def test_replica_is_current_within_the_limit(state: ReplicaState, *, expected: bool) -> None:
    assert is_current(state) is expected


@pytest.mark.parametrize(
    ("state", "mark", "expected"),
    [
        (replica(position=7), WriteMark(written_at=NOW, position=7), True),
        (replica(position=6), WriteMark(written_at=NOW - 2 * WAIT, position=7), False),
        (replica(), WriteMark(written_at=NOW, position=7), False),  # it replays no log
        (replica(), WriteMark(written_at=NOW - WAIT, position=7), True),
        (replica(position=9), WriteMark(written_at=NOW - WAIT + TICK), False),
        (replica(position=9), WriteMark(written_at=NOW - WAIT), True),
        (replica(position=9), None, False),
        (PRIMARY, None, True),
    ],
)
def test_own_write_is_awaited(state: ReplicaState, mark: WriteMark | None, *, expected: bool) -> None:
    assert has_written(state, [mark], now=NOW) is expected
    assert has_written(state, [WriteMark(written_at=NOW - WAIT, position=1), mark], now=NOW) is expected
