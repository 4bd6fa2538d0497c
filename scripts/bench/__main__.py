"""The command line: ``python -m scripts.bench [name ...] [--rounds 5] [--smallest]``."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

from scripts.bench import ROOT
from scripts.bench.figure import ROUNDS, Effort, Figure, show
from scripts.progress import progress

NAMES: Final = ("ingest", "load", "identity", "log_in", "admission", "end_to_end", "roll_up", "erasure", "imports")


def main() -> int:
    """Measure one figure in this process, or several in one process each."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of {', '.join(NAMES)}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each side is measured (%(default)s)")
    parser.add_argument("--smallest", action="store_true", help="run all of the code once; the numbers mean nothing")
    chosen = parser.parse_args()
    names = chosen.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    if chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    effort = Effort(rounds=1 if chosen.smallest else chosen.rounds, smallest=chosen.smallest)
    if len(names) == 1:
        measure: Callable[[Effort], Figure] = import_module(f"scripts.bench.{names[0]}").measure
        with progress(lambda line: print(line, file=sys.stderr, flush=True), f"measuring {names[0]}"):
            figure = measure(effort)
        show(figure)
        return 0
    failed = [name for name in names if not _run_alone(name, effort)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run_alone(name: str, effort: Effort) -> bool:
    """Measure one figure in a process of its own, so that no figure warms up another."""
    command = [sys.executable, "-m", "scripts.bench", name, f"--rounds={effort.rounds}"]
    return subprocess.run([*command, *(["--smallest"] * effort.smallest)], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
