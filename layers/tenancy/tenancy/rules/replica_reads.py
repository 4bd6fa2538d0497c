"""The reads that a replica of PostgreSQL may answer, by its region, its lag and the caller's writes.

Reasons: docs/decisions/0086-read-replicas.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tenancy.rules.durations import CLOCK_TOLERANCE, REPLICA_LAG_LIMIT


class ReplicaFault(StrEnum):
    """Why the primary answers a read that a replica may answer.

    Two are no failures. *AWAITED*: the replica does not have the caller's own write yet, or does not know a new thing.
    *ELSEWHERE*: another database than that of the replica has the organization.
    """

    AWAITED = "awaited"
    CANCELLED = "cancelled"
    ELSEWHERE = "elsewhere"
    LAG = "lag"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteMark:
    """A committed write: its time, and the position in the log of the primary at which it is complete, if known."""

    written_at: datetime
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """The state of a replica.

    *position* is that in the log of the primary up to which the replica has replayed it, None if it replays none.
    *lag* is an upper bound of the time by which it is behind, None if that is unknown. A server that is known to be the
    primary is never behind.
    """

    is_primary: bool
    position: int | None
    lag: timedelta | None


def may_hold(region: str, pinned_region: str | None) -> bool:
    """Tell whether a replica in *region* may answer reads of data that must not leave *pinned_region*."""
    return pinned_region is None or region == pinned_region


def is_current(state: ReplicaState) -> bool:
    """Tell whether the replica is known to be within `REPLICA_LAG_LIMIT`."""
    return state.is_primary or (state.lag is not None and state.lag <= REPLICA_LAG_LIMIT)


def has_written(state: ReplicaState, marks: Iterable[WriteMark | None], *, now: datetime) -> bool:
    """Tell whether a replica that is current has all writes of *marks*. None is an unreadable mark."""
    return state.is_primary or all(mark is not None and _has(state, mark, now) for mark in marks)


def _has(state: ReplicaState, mark: WriteMark, now: datetime) -> bool:
    if mark.position is not None and state.position is not None:
        return state.position >= mark.position
    return now >= mark.written_at + REPLICA_LAG_LIMIT + CLOCK_TOLERANCE
