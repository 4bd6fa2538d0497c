"""The work of servers for a release: round trips by server, and PostgreSQL's processor time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tenancy.stores.postgres.client import Database

FIND_BACKENDS: Final = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user"
NANOSECOND: Final = 1e-9


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """Round trips by server, and PostgreSQL's processor seconds by connection, since the start."""

    round_trips: Mapping[str, int]
    seconds: Mapping[int, float]


@dataclass(slots=True)
class ServerWork:
    """The work of the servers for some requests."""

    requests: int = 0
    round_trips: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, requests: int, before: ServerCounts, after: ServerCounts) -> None:
        """Add *requests* that were made between two counts.

        A connection of one count only is not counted.
        """
        self.requests += requests
        self.round_trips.update(after.round_trips)
        self.round_trips.subtract(before.round_trips)
        self.seconds += sum(seconds - before.seconds.get(pid, seconds) for pid, seconds in after.seconds.items())

    def describe(self) -> str:
        """Return the work for one request in words."""
        trips = [f"{name} {number / self.requests:.2g}" for name, number in self.round_trips.items() if number]
        return f"{', '.join(trips) or 'no round trip'} ({1_000 * self.seconds / self.requests:.2f} ms)"


def backend_seconds(owner: Database) -> Mapping[int, float]:
    """Return the processor seconds of functions' connections to *owner*'s database, by process."""
    with owner.transaction() as conn:
        return {pid: _processor_seconds(pid) for (pid,) in conn.execute(FIND_BACKENDS).fetchall()}


def _processor_seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) * NANOSECOND
    except OSError:  # not Linux
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
