"""A figure: two things measured in turn, and the table that shows them and their ratio."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from textwrap import fill
from typing import Final

WIDTH: Final = 100
MEASURE_SECONDS: Final = 0.3
LEAST_WHOLE: Final = 100
LEAST_IN_THOUSANDS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of a table: what each round gave, for the thing itself and right after it for the reference."""

    what: str
    measured: Sequence[float]
    reference: Sequence[float]

    @property
    def ratios(self) -> Sequence[float]:
        """Measured to reference, round by round: what slows the machine for a while slows both."""
        return [one / other for one, other in zip(self.measured, self.reference, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A table and, in plain words, what its columns are; *unit* says which way is better."""

    name: str
    unit: str
    measured: str
    reference: str
    comparisons: Sequence[Comparison]
    notes: Sequence[str] = ()


def alternate(what: str, rounds: int, measure: Callable[[], float], reference: Callable[[], float]) -> Comparison:
    """Measure both in turn, A B A B, for some *rounds*."""
    pairs = [(measure(), reference()) for _ in range(rounds)]
    return Comparison(what=what, measured=[one for one, _ in pairs], reference=[other for _, other in pairs])


def processor_seconds(work: Callable[[], object], *, block: int = 1) -> float:
    """Return the processor time of one call of *work*, over all threads of this process.

    *block* calls are made between two looks at the clock, which is a call into the system itself.
    """
    return _seconds(time.process_time, work, block)


def clock_seconds(work: Callable[[], object]) -> float:
    """Return the time of one call of *work* by the clock: what it waits for counts as well."""
    return _seconds(time.perf_counter, work, 1)


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


def _seconds(clock: Callable[[], float], work: Callable[[], object], block: int) -> float:
    calls = 0
    started = clock()
    while (spent := clock() - started) < MEASURE_SECONDS:
        for _ in repeat(None, block):
            work()
        calls += block
    return spent / calls


def _explain(word: str, text: str) -> None:
    print(fill(f"{word + ':':<11}{text}", WIDTH, initial_indent="  ", subsequent_indent=" " * 13))


def _spread(values: Sequence[float]) -> str:
    return f"{_number(median(values))} ({_number(min(values))} .. {_number(max(values))})"


def _number(value: float) -> str:
    if value >= LEAST_IN_THOUSANDS:
        return f"{value / 1_000:,.0f}k"
    return f"{value:,.0f}" if value >= LEAST_WHOLE else f"{value:.2g}"
