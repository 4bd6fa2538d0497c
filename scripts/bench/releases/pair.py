"""A route of two releases, measured in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from scripts.bench.figure import Comparison, Effort, alternate, at_most
from scripts.bench.releases.side import ReleaseInUse
from scripts.bench.releases.work import ServerWork

MILLISECONDS: Final = 1_000
MOST: Final = 1.1

type Request = Callable[[ReleaseInUse], float]
"""Makes a request, and returns its seconds of processor time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route: its function, its request, and how often a round makes the request."""

    function: str
    request: Request
    requests: int


class Pair:
    """A route of our code and of an earlier release."""

    def __init__(self, route: Route, ours: ReleaseInUse, theirs: ReleaseInUse) -> None:
        """Measure nothing yet."""
        self._route = route
        self._sides = (ours, theirs)
        self._work = (ServerWork(), ServerWork())
        self._their_milliseconds = 0.0

    def compare(self, name: str, effort: Effort) -> Comparison:
        """Measure both sides, request by request in turn."""
        requests = effort.size(self._route.requests)
        return alternate(name, effort, lambda: self._measure(requests), lambda: self._their_milliseconds, at_most(MOST))

    def describe(self) -> str:
        """Describe the work of the servers for one request."""
        ours, theirs = (work.describe() for work in self._work)
        return f"{ours}; before: {theirs}"

    def _measure(self, requests: int) -> float:
        """Return the median of our requests, and keep that of theirs."""
        for side in self._sides:
            side.forget()
            self._route.request(side)  # not measured: fills Redis again
        before = [side.count_work() for side in self._sides]
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(requests):
            for side, its_seconds in zip(self._sides, seconds, strict=True):
                its_seconds.append(self._route.request(side))
        for side, work, counts in zip(self._sides, self._work, before, strict=True):
            work.add(requests, counts, side.count_work())
        ours, self._their_milliseconds = (MILLISECONDS * median(each) for each in seconds)
        return ours
