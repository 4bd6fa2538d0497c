"""`make test-clickhouse` without Docker: the command names the missing program and the remedy."""

import os
import subprocess
import sys
from pathlib import Path

from scripts.clickhouse_server.__main__ import ON_REPLICAS, modules
from scripts.clickhouse_server.replicas import IMAGE
from tests.given import ROOT


def test_missing_docker_is_named_with_its_remedy(nowhere: str, tmp_path: Path) -> None:
    environment = os.environ | {"DOCKER_HOST": f"tcp://{nowhere}", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "scripts.clickhouse_server"]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stdout == f"Starting two servers of {IMAGE}.\n"
    assert "Start Docker, or set DOCKER_HOST. " in done.stderr
    assert f"docker pull {IMAGE}" in done.stderr


def test_tests_that_use_clickhouse_run_on_the_server() -> None:
    assert {"tests/stores/test_events.py", "tests/use_cases/test_roll_up.py"} <= set(modules())
    assert len(list((ROOT / ON_REPLICAS).glob("test_*.py"))) == 3
