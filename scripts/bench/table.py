"""Show a figure and its goals as tables of plain text."""

from collections.abc import Sequence
from statistics import median
from textwrap import fill
from typing import Final

from scripts.bench.figure import Comparison, Figure, Goal

WIDTH: Final = 100
LEAST_WHOLE: Final = 100
LEAST_IN_THOUSANDS: Final = 10_000


def show(figure: Figure) -> None:
    """Print *figure* as a table."""
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


def show_goals(figures: Sequence[Figure]) -> None:
    """Print each goal of *figures* with the median that it bounds, and whether it is met."""
    lines = [
        (f"{figure.name}, {each.what}", _goal(goal), _number(each.judged(goal)), _verdict(each, goal))
        for figure in figures
        for each in figure.comparisons
        for goal in each.goals
    ]
    if not lines:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print("\nGoals, each for a median\n")
    for line in lines:
        print("  " + "  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())
    print(flush=True)


def _goal(goal: Goal) -> str:
    return f"{goal.of} {goal.direction} {goal.bound:,g}"


def _verdict(comparison: Comparison, goal: Goal) -> str:
    return "met" if comparison.meets(goal) else "not met"


def _explain(word: str, text: str) -> None:
    print(fill(f"{word + ':':<11}{text}", WIDTH, initial_indent="  ", subsequent_indent=" " * 13))


def _spread(values: Sequence[float]) -> str:
    return f"{_number(median(values))} ({_number(min(values))} .. {_number(max(values))})"


def _number(value: float) -> str:
    if value >= LEAST_IN_THOUSANDS:
        return f"{value / 1_000:,.0f}k"
    return f"{value:,.0f}" if value >= LEAST_WHOLE else f"{value:.2g}"
