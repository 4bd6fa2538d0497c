"""Measure two sides in turn, and judge them by goals."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from typing import Final, Literal

MEASURE_SECONDS: Final = 0.3
SMALLEST_MEASURE_SECONDS: Final = 0.001  # one block of calls
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work a figure takes: its rounds, and whether it runs at its smallest size.

    The smallest size runs all of the code once. Its numbers mean nothing.
    """

    rounds: int = ROUNDS
    smallest: bool = False

    def size(self, usual: int, smallest: int = 1) -> int:
        """Return *usual*, or *smallest* for a figure at its smallest size."""
        return smallest if self.smallest else usual

    def processor_seconds(self, work: Callable[[], object], *, block: int = 1) -> float:
        """Return the processor time of one call of *work*, over all threads of this process.

        *block* calls are made between two looks at the clock, which is a system call.
        """
        return self._seconds(time.process_time, work, block)

    def clock_seconds(self, work: Callable[[], object]) -> float:
        """Return the time of one call of *work* by the clock, which includes the time it waits."""
        return self._seconds(time.perf_counter, work, 1)

    def _seconds(self, clock: Callable[[], float], work: Callable[[], object], block: int) -> float:
        least = SMALLEST_MEASURE_SECONDS if self.smallest else MEASURE_SECONDS
        calls = 0
        started = clock()
        while (spent := clock() - started) < least:
            for _ in repeat(None, block):
                work()
            calls += block
        return spent / calls


type Judged = Literal["ratio", "measured"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of a median: of the ratios, or of the measured values."""

    direction: Literal["at least", "at most"]
    bound: float
    of: Judged


def at_least(bound: float, *, of: Judged = "ratio") -> Goal:
    """Return the goal that the median is *bound* or more."""
    return Goal("at least", bound, of)


def at_most(bound: float, *, of: Judged = "ratio") -> Goal:
    """Return the goal that the median is *bound* or less."""
    return Goal("at most", bound, of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of a table: the results of each round, measured and reference."""

    what: str
    measured: Sequence[float]
    reference: Sequence[float]
    goals: Sequence[Goal] = ()

    @property
    def ratios(self) -> Sequence[float]:
        """Return the ratio of each round, because a slow moment of the machine slows both sides."""
        return [one / other for one, other in zip(self.measured, self.reference, strict=True)]

    def judged(self, goal: Goal) -> float:
        """Return the median that *goal* bounds."""
        return median(self.ratios if goal.of == "ratio" else self.measured)

    def meets(self, goal: Goal) -> bool:
        """Return whether the median is within *goal*."""
        value = self.judged(goal)
        return value >= goal.bound if goal.direction == "at least" else value <= goal.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A table with a description of its columns, where *unit* says which direction is better."""

    name: str
    unit: str
    measured: str
    reference: str
    comparisons: Sequence[Comparison]
    notes: Sequence[str] = ()


def alternate(
    what: str, effort: Effort, measure: Callable[[], float], reference: Callable[[], float], *goals: Goal
) -> Comparison:
    """Measure both sides in turn, A B A B, once a round."""
    pairs = [(measure(), reference()) for _ in range(effort.rounds)]
    measured, references = [one for one, _ in pairs], [other for _, other in pairs]
    return Comparison(what=what, measured=measured, reference=references, goals=goals)


def measure_in_turn(parts: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Return the processor seconds of each part in each turn.

    A turn is short, so that noise meets all parts alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(turns):
        for name, part in parts.items():
            started = time.process_time()
            part()
            seconds[name].append(time.process_time() - started)
    return seconds
