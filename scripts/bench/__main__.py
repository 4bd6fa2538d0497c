"""The command line: ``python -m scripts.bench [ingest] [load] [admission] ... [--rounds 5]``."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

from scripts.bench import ROOT
from scripts.bench.figure import Figure, show

NAMES: Final = ("ingest", "load", "identity", "admission", "end_to_end", "roll_up", "erasure", "imports")
ROUNDS: Final = 5


def main() -> int:
    """Measure one figure here, or several, each in a process of its own, so that none warms another up."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of {', '.join(NAMES)}; all without")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each side is measured (%(default)s)")
    chosen = parser.parse_args()
    names = chosen.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    if chosen.rounds < 1:
        parser.error("one round is the least")
    if len(names) > 1:
        return max(_run_alone(name, chosen.rounds) for name in names)
    measure: Callable[[int], Figure] = import_module(f"scripts.bench.{names[0]}").measure
    show(measure(chosen.rounds))
    return 0


def _run_alone(name: str, rounds: int) -> int:
    command = [sys.executable, "-m", "scripts.bench", name, f"--rounds={rounds}"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
