"""The capacity model's commands that need the stack of `make up` run at their smallest size."""

import re
import subprocess
import sys

from scripts.capacity.measure import measure_service_times
from tests.given import ROOT

LINE = re.compile(r"^  (requests/s|latency, ms|waiting, ms|until stored, ms|saturated, requests/s) +\S+ +\S+ +\S+  \w+")


def test_validation_compares_each_result() -> None:
    command = [sys.executable, "-m", "scripts.capacity", "validate", "--smallest"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    lines = [match[1] for line in done.stdout.splitlines() if (match := LINE.match(line))]
    assert lines == ["requests/s", "latency, ms", "waiting, ms", "until stored, ms", "saturated, requests/s"], done


def test_service_times_are_measured() -> None:
    times = measure_service_times(rounds=1)

    assert min(times.authorizer, times.authorizer_start, times.ingest_start, times.script) > 0
    assert times.ingest.at(100) > times.ingest.at(1) > 0
    assert times.message_bytes.at(100) > times.message_bytes.at(1) > 900
