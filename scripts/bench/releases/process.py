"""The process of a function of a release, which answers one request after the other."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from scripts.bench.functions import environment_of
from scripts.bench.releases.release import UnpackedRelease

WORKER: Final = Path(__file__).with_name("worker.py")
PATIENCE_MILLISECONDS: Final = "5000"  # so long that a pause of the machine does not look like a Redis failure


class FunctionProcess:
    """A running function.

    *import_seconds* is the processor time of its import.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until *process* has imported its function."""
        self._process = process
        self.import_seconds = self._read()[1]

    def call(self, request: Mapping[str, Any]) -> tuple[Any, float]:
        """Return the answer to *request*, and the seconds of processor time that it took."""
        assert self._process.stdin  # noqa: S101 - for the type checkers: it is a pipe
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> tuple[Any, float]:
        assert self._process.stdout  # noqa: S101 - for the type checkers: it is a pipe
        line = self._process.stdout.readline()
        if not line:
            sys.exit("a function has ended")
        reply = json.loads(line)
        return reply["answer"], reply["seconds"]


@contextmanager
def function_process(release: UnpackedRelease, function: str, aws_url: str) -> Iterator[FunctionProcess]:
    """Yield *function* of *release* in a process of its own, with AWS at *aws_url*."""
    variables = environment_of(function, aws_url, release.template)
    paths = os.pathsep.join(map(str, release.paths))
    environment = os.environ | variables | {"REDIS_PATIENCE_MS": PATIENCE_MILLISECONDS, "PYTHONPATH": paths}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a cold start finds the bytecode of the process before it
    command = [sys.executable, "-P", str(WORKER), str(release.app(function))]
    with subprocess.Popen(
        command, cwd=release.root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield FunctionProcess(process)
