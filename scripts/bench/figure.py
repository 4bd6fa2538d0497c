"""Measure two sides in turn, and show them and their ratio in a table."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from textwrap import fill
from typing import Final

WIDTH: Final = 100
MEASURE_SECONDS: Final = 0.3
SMALLEST_MEASURE_SECONDS: Final = 0.001  # one block of calls
ROUNDS: Final = 5
LEAST_WHOLE: Final = 100
LEAST_IN_THOUSANDS: Final = 10_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of a table: the results of each round, measured and reference."""

    what: str
    measured: Sequence[float]
    reference: Sequence[float]

    @property
    def ratios(self) -> Sequence[float]:
        """Return the ratio of each round, because a slow moment of the machine slows both sides."""
        return [one / other for one, other in zip(self.measured, self.reference, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A table with a description of its columns, where *unit* says which direction is better."""

    name: str
    unit: str
    measured: str
    reference: str
    comparisons: Sequence[Comparison]
    notes: Sequence[str] = ()


def alternate(what: str, effort: Effort, measure: Callable[[], float], reference: Callable[[], float]) -> Comparison:
    """Measure both sides in turn, A B A B, once a round."""
    pairs = [(measure(), reference()) for _ in range(effort.rounds)]
    return Comparison(what=what, measured=[one for one, _ in pairs], reference=[other for _, other in pairs])


def show(figure: Figure) -> None:
    """Print *figure* as a table of plain text."""
    rounds = len(figure.comparisons[0].measured)
    print(f"\n{figure.name}: {figure.unit}\n")
    _explain("measured", figure.measured)
    _explain("reference", figure.reference)
    _explain("ratio", f"measured / reference of the same round; {rounds} rounds, median (least .. most)")
    width = max(len(each.what) for each in figure.comparisons)
    print(f"\n  {'':<{width}}  {'measured':<24}  {'reference':<24}  ratio")
    for each in figure.comparisons:
        measured, reference, ratios = map(_spread, (each.measured, each.reference, each.ratios))
        print(f"  {each.what:<{width}}  {measured:<24}  {reference:<24}  {ratios}")
    for note in figure.notes:
        print()
        print(fill(note, WIDTH, initial_indent="  ", subsequent_indent="  "))
    print(flush=True)


def _explain(word: str, text: str) -> None:
    print(fill(f"{word + ':':<11}{text}", WIDTH, initial_indent="  ", subsequent_indent=" " * 13))


def _spread(values: Sequence[float]) -> str:
    return f"{_number(median(values))} ({_number(min(values))} .. {_number(max(values))})"


def _number(value: float) -> str:
    if value >= LEAST_IN_THOUSANDS:
        return f"{value / 1_000:,.0f}k"
    return f"{value:,.0f}" if value >= LEAST_WHOLE else f"{value:.2g}"
