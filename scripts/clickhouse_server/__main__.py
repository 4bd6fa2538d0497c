"""Run the tests of ClickHouse on real servers. Needs a Docker engine that can get the servers' image.

The embedded engine has neither users nor replicas, and it is one process. Here the same tests of stores and use cases
run on a server, and those of tests/clickhouse_server on two, as replicas and as shards:
``python -m scripts.clickhouse_server``.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Final

from docker.errors import DockerException  # type: ignore[import-untyped]  # ships no types

from scripts.clickhouse_server.replicas import IMAGE, running_replicas

ROOT: Final = Path(__file__).resolve().parents[2]
MISSING: Final = "ClickHouse did not start. Start Docker, or set DOCKER_HOST. Get the image with: docker pull {}"
ON_REPLICAS: Final = "tests/clickhouse_server"
# Folders with tests that also run on the embedded engine, if their module names ClickHouse.
ON_BOTH: Final = ("tests/stores", "tests/use_cases")
OF_THE_EMBEDDED_ENGINE: Final = frozenset({"test_database_pool.py", "test_tls.py"})  # its folders, its open port


def main() -> int:
    """Start the servers, run the tests, and return the exit code of pytest. Return 1 if the servers cannot start."""
    print(f"Starting two servers of {IMAGE}.", flush=True)
    try:
        with running_replicas(secrets.token_hex()) as urls:
            return run_tests(urls)
    except (DockerException, TimeoutError) as error:
        print(f"{MISSING.format(IMAGE)} ({error})", file=sys.stderr)
        return 1


def run_tests(urls: list[str]) -> int:
    """Run the tests on the replicas at *urls*, and return the exit code of pytest."""
    variables = {"TEST_CLICKHOUSE_URL": urls[0], "TEST_CLICKHOUSE_REPLICAS": " ".join(urls)}
    command = [sys.executable, "-m", "pytest", "--numprocesses", "0", ON_REPLICAS, *modules()]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, check=False).returncode


def modules() -> list[str]:
    """Return the test modules that use ClickHouse on both kinds of server."""
    found = (module for folder in ON_BOTH for module in sorted((ROOT / folder).glob("test_*.py")))
    return [
        str(module.relative_to(ROOT))
        for module in found
        if module.name not in OF_THE_EMBEDDED_ENGINE and "clickhouse" in module.read_text(encoding="utf-8")
    ]


if __name__ == "__main__":
    raise SystemExit(main())
