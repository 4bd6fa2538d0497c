"""Read and write the results of figures as JSON: bench.json has those of one run of `make bench`."""

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from scripts.bench import ROOT
from scripts.bench.figure import Comparison, Effort, Figure, Goal

RESULTS: Final = ROOT / "bench.json"


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One run of the command, which starts when this value is made."""

    effort: Effort
    started_at: datetime = field(default_factory=partial(datetime.now, UTC))
    clock: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return the seconds since the run was started."""
        return time.monotonic() - self.clock


def write_results(file: Path, run: BenchRun, figures: Sequence[Figure]) -> None:
    """Write the run, the machine and the values of every round to *file*."""
    document = {
        "started_at": run.started_at.isoformat(timespec="seconds"),
        "seconds": round(run.seconds),
        "rounds": run.effort.rounds,
        "is_smallest": run.effort.smallest,
        "cores": os.process_cpu_count(),
        "python": platform.python_version(),
        "figures": [_figure_document(figure) for figure in figures],
    }
    file.write_text(f"{json.dumps(document, indent=1)}\n", encoding="utf-8")


def read_figures(file: Path) -> list[Figure]:
    """Return the figures in *file*, which write_results wrote."""
    return [_figure(document) for document in json.loads(file.read_text(encoding="utf-8"))["figures"]]


def _figure_document(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "measured": figure.measured,
        "reference": figure.reference,
        "comparisons": [_comparison_document(each) for each in figure.comparisons],
        "notes": list(figure.notes),
    }


def _figure(document: dict[str, Any]) -> Figure:
    return Figure(**document | {"comparisons": [_comparison(each) for each in document["comparisons"]]})


def _comparison_document(comparison: Comparison) -> dict[str, Any]:
    goals = [
        {"of": goal.of, "direction": goal.direction, "bound": goal.bound, "is_met": comparison.meets(goal)}
        for goal in comparison.goals
    ]
    return {
        "what": comparison.what,
        "measured": list(comparison.measured),
        "reference": list(comparison.reference),
        "ratios": list(comparison.ratios),
        "goals": goals,
    }


def _comparison(document: dict[str, Any]) -> Comparison:
    goals = [Goal(each["direction"], each["bound"], each["of"]) for each in document["goals"]]
    return Comparison(
        what=document["what"], measured=document["measured"], reference=document["reference"], goals=goals
    )
