"""Starts tenantctl in a fork of one process that has imported it.

Its imports take four fifths of the processor time of a start. The tests in a shell, and those of docs/tenantctl.md and
of the demo's commands, start it as people do.
"""

import atexit
import fcntl
import gc
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

PROGRAM = "scripts.tenantctl"
IMPORTED_LATER = ("typer._adapters", "zoneinfo")  # when a command has parsed its options
MAX_MESSAGE_BYTES = 100_000
STREAMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The environment that a shell gives to a process. On a terminal the process leads a session."""

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    is_on_terminal: bool


class Launcher:
    """The process that forks. One fork runs at a time."""

    def __init__(self) -> None:
        """Start it. It ends with this process."""
        self._requests, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.tenantctl.launcher", str(other.fileno())]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(command, cwd=root, env={"PYTHONPATH": str(root)}, pass_fds=[other.fileno()])
        other.close()

    @classmethod
    @cache
    def of_this_process(cls) -> "Launcher":
        launcher = cls()
        atexit.register(launcher.close)
        return launcher

    def close(self) -> None:
        self._requests.close()
        self._process.wait()

    def start(self, call: Call, streams: Sequence[int]) -> int:
        """Start a process with these standard streams, and return its pid."""
        socket.send_fds(self._requests, [json.dumps(asdict(call)).encode()], list(streams))
        return int(self._requests.recv(MAX_MESSAGE_BYTES))

    def wait(self, pid: int, seconds: float) -> int:
        """Return the exit code of the process. It is killed after *seconds*."""
        self._requests.settimeout(seconds)
        try:
            code = self._requests.recv(MAX_MESSAGE_BYTES)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            code = self._requests.recv(MAX_MESSAGE_BYTES)
        return int(code)


def main(descriptor: int) -> None:
    """Fork for each call that comes through the socket."""
    for module in (f"{PROGRAM}.app", *IMPORTED_LATER):
        import_module(module)
    gc.freeze()
    with socket.socket(fileno=descriptor) as requests:
        while True:
            message, streams, _, _ = socket.recv_fds(requests, MAX_MESSAGE_BYTES, STREAMS)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                break
            for stream in streams:
                os.close(stream)
            requests.send(str(pid).encode())
            requests.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    _become(Call(**json.loads(message)), streams)


def _become(call: Call, streams: Sequence[int]) -> None:
    """Run tenantctl in this process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if call.is_on_terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(call.folder)
    os.environ.clear()
    os.environ.update(call.environment)
    sys.stdin, sys.stdout, sys.stderr = _opened(0, "r"), _opened(1, "w"), _opened(2, "w", "backslashreplace")
    sys.argv[1:] = call.arguments
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


def _opened(descriptor: int, mode: str, errors: str = "surrogateescape") -> io.TextIOWrapper:
    """Open a standard stream as Python does without a locale."""
    return io.TextIOWrapper(
        open(descriptor, f"{mode}b", closefd=False),
        encoding="utf-8",
        errors=errors,
        line_buffering=os.isatty(descriptor) or descriptor == 2,
        write_through=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
