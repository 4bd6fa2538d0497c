"""The goals of the benchmarks: a median that is compared with a bound."""

from pathlib import Path

import pytest

from scripts.bench.figure import Comparison, Effort, Figure, Goal, at_least, at_most
from scripts.bench.results import BenchRun, read_figures, write_results
from scripts.bench.table import show_goals

MEASURED = [10.0, 30.0, 20.0]
REFERENCE = [10.0, 10.0, 10.0]  # ratios 1, 3, 2


def figure(*goals: Goal) -> Figure:
    comparison = Comparison(what="batch of 1", measured=MEASURED, reference=REFERENCE, goals=list(goals))
    return Figure(name="ingest", unit="a second", measured="a", reference="b", comparisons=[comparison], notes=["c"])


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [
        (at_least(2), True),
        (at_least(2.1), False),
        (at_most(2), True),
        (at_most(1.9), False),
        (at_least(20, of="measured"), True),
        (at_most(19, of="measured"), False),
    ],
)
def test_goal_bounds_the_median(goal: Goal, *, is_met: bool) -> None:
    [comparison] = figure(goal).comparisons

    assert comparison.meets(goal) is is_met


def test_each_goal_is_shown_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    show_goals([figure(at_least(1.15), at_most(15, of="measured"))])

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "ingest, batch of 1 ratio at least 1.15 2 met" in lines
    assert "ingest, batch of 1 measured at most 15 20 not met" in lines


def test_written_figures_are_read_again(tmp_path: Path) -> None:
    written = figure(at_least(2))

    write_results(tmp_path / "bench.json", BenchRun(Effort()), [written])

    assert read_figures(tmp_path / "bench.json") == [written]
