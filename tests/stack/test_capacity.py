"""The capacity model's commands that need the stack of `make up` run at their smallest size."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.capacity.known import ServiceTimes
from tests.given import ROOT

pytestmark = pytest.mark.exhaustive

LINE = re.compile(r"^  (requests/s|latency, ms|waiting, ms|until stored, ms|saturated, requests/s) +\S+ +\S+ +\S+  \w+")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.capacity", *arguments, "--smallest"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_validation_compares_each_result() -> None:
    done = run("validate")

    lines = [match[1] for line in done.stdout.splitlines() if (match := LINE.match(line))]
    assert lines == ["requests/s", "latency, ms", "waiting, ms", "until stored, ms", "saturated, requests/s"], done


def test_service_times_are_measured(tmp_path: Path) -> None:
    file = tmp_path / "times.json"

    done = run("measure", f"--output={file}")

    assert done.returncode == 0, done.stderr[-2_000:]
    times = ServiceTimes.load_file(file)
    assert min(times.authorizer, times.authorizer_start, times.ingest_start, times.script) > 0
    assert times.ingest.at(100) > times.ingest.at(1) > 0
    assert times.message_bytes.at(100) > times.message_bytes.at(1) > 900
