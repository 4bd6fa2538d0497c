"""Every figure of the benchmarks runs at its smallest size on the stack of `make up`."""

import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import scripts.bench
from scripts.bench.__main__ import NAMES

ROOT = Path(__file__).resolve().parents[2]
MODULES = [module.name for module in pkgutil.iter_modules(scripts.bench.__path__) if module.name != "__main__"]
FIGURES = [name for name in MODULES if hasattr(import_module(f"scripts.bench.{name}"), "measure")]
RATIO = re.compile(r"\(\S+ \.\. \S+\) +\S+ \(\S+ \.\. \S+\)$", re.MULTILINE)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_bench_runs_every_figure() -> None:
    assert sorted(NAMES) == sorted(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_runs_at_its_smallest_size(name: str) -> None:
    done = run(name, "--smallest")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"\n{name}: ")
    assert RATIO.search(done.stdout), done.stdout


def test_unknown_figure_is_refused() -> None:
    done = run("ingest", "speed")

    assert done.returncode == 2
    assert "there is no figure speed" in done.stderr
