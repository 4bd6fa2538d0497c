"""The command line: ``python -m scripts.bench [name ...] [--rounds 5] [--smallest]``."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from scripts.bench import ROOT
from scripts.bench.figure import ROUNDS, Effort, Figure
from scripts.bench.figures import NAMES
from scripts.bench.results import RESULTS, BenchRun, read_figures, write_results
from scripts.bench.table import show, show_goals
from scripts.progress import progress


def main() -> int:
    """Measure one figure in this process, or several in one process each."""
    parser = _parser()
    chosen = parser.parse_args()
    names = chosen.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    if chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    effort = Effort(rounds=1 if chosen.smallest else chosen.rounds, smallest=chosen.smallest)
    if len(names) > 1:
        return _run_all(names, effort, chosen.results or RESULTS)
    return _run_one(names[0], effort, chosen.results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of {', '.join(NAMES)}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each side is measured (%(default)s)")
    parser.add_argument("--smallest", action="store_true", help="run all of the code once; the numbers mean nothing")
    parser.add_argument("--results", type=Path, help="the JSON file for the results; bench.json for several figures")
    return parser


def _run_one(name: str, effort: Effort, results: Path | None) -> int:
    """Measure *name* in this process, and show it with its goals."""
    run = BenchRun(effort)
    measure: Callable[[Effort], Figure] = import_module(f"scripts.bench.figures.{name}").measure
    with progress(lambda line: print(line, file=sys.stderr, flush=True), f"measuring {name}"):
        figure = measure(effort)
    show(figure)
    if results:
        write_results(results, run, [figure])
    elif not effort.smallest:
        show_goals([figure])
    return 0


def _run_all(names: Sequence[str], effort: Effort, results: Path) -> int:
    """Measure *names* in one process each, show their goals and write *results*."""
    run = BenchRun(effort)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = {name: Path(folder, name) for name in names}
        failed = [name for name, file in files.items() if not _run_alone(name, effort, file)]
        figures = [figure for name, file in files.items() if name not in failed for figure in read_figures(file)]
    if not effort.smallest:
        show_goals(figures)
    write_results(results, run, figures)
    print(f"wrote {results.name} after {run.seconds:.0f} s")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run_alone(name: str, effort: Effort, results: Path) -> bool:
    """Measure one figure in a process of its own, so that no figure warms up another."""
    command = [sys.executable, "-m", "scripts.bench", name, f"--rounds={effort.rounds}", f"--results={results}"]
    return subprocess.run([*command, *(["--smallest"] * effort.smallest)], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
