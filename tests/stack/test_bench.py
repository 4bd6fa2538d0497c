"""Every figure of the benchmarks runs at its smallest size on the stack of `make up`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.figures import NAMES

ROOT = Path(__file__).resolve().parents[2]
RATIO = re.compile(r"\(\S+ \.\. \S+\) +\S+ \(\S+ \.\. \S+\)$", re.MULTILINE)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_figure_runs_at_its_smallest_size(name: str) -> None:
    done = run(name, "--smallest")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"\n{name}: ")
    assert RATIO.search(done.stdout), done.stdout


def test_unknown_figure_is_refused() -> None:
    done = run("ingest", "speed")

    assert done.returncode == 2
    assert "there is no figure speed" in done.stderr


def test_results_of_several_figures_are_written(tmp_path: Path) -> None:
    results = tmp_path / "bench.json"

    done = run("admission", "identity", "--smallest", f"--results={results}")

    assert done.returncode == 0, done.stderr
    document = json.loads(results.read_bytes())
    assert [figure["name"] for figure in document["figures"]] == ["admission", "identity"]
    assert document["is_smallest"]
