"""tenantctl as a process: with pipes, or on a terminal."""

import fcntl
import json
import os
import pty
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.given import ROOT
from tests.tenantctl.launcher import Call, Launcher

SECONDS = 60.0  # only a failure takes so long
PLATFORM_KEY = "pk_of_the_operator"
SECRET_KEY = "sk_of_acme"


class Done:
    """The output of a process, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)


class Tenantctl:
    """Runs tenantctl in a folder of its own, with few variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = SECONDS
        self.variables = {
            "HOME": str(folder / "home"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TENANTCTL_SECRET_KEY": SECRET_KEY,
        }

    def write_stack(self, url: str) -> Path:
        """Write the file of a local stack."""
        file = self.folder / ".local" / "stack.json"
        file.parent.mkdir()
        file.touch(mode=0o600)
        file.write_text(json.dumps({"api_url": url, "platform_key": PLATFORM_KEY}))
        return file

    def write_profiles(self, text: str, mode: int = 0o600) -> Path:
        """Write the profiles of the person."""
        file = self.folder / "home" / ".config" / "tenantctl" / "profiles.toml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def run(self, *arguments: str, stdin: str = "", cwd: Path | None = None, **variables: str) -> Done:
        with ExitStack() as stack:
            streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            streams[0].write(stdin.encode())
            streams[0].seek(0)
            pid = self._start(arguments, [stream.fileno() for stream in streams], variables, cwd=cwd)
            code = Launcher.of_this_process().wait(pid, self.seconds)
            for stream in streams:
                stream.seek(0)
            return Done(code, streams[1].read().decode(), streams[2].read().decode())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it as people do, and do not wait for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "scripts.tenantctl", *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_line(self, line: str, **variables: str) -> Done:
        """Run a shell's line with one command of tenantctl, perhaps with a file to read or write."""
        command, _, written = line.partition(" > ")
        command, _, read = command.partition(" < ")
        program, *arguments = shlex.split(command)
        assert program == "tenantctl"
        stdin = (self.folder / read).read_text() if read else ""
        done = self.run(*arguments, stdin=stdin, cwd=self.folder, **variables)
        if written:
            (self.folder / written).write_text(done.out)
        return done

    def run_in_shell(self, script: str, **variables: str) -> Done:
        """Run *script* in bash, in which `tenantctl` is this checkout's."""
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        (programs / "tenantctl").write_text(f'#!/bin/sh\nexec {sys.executable} -m scripts.tenantctl "$@"\n')
        (programs / "tenantctl").chmod(0o755)
        environment = self.variables | {"PATH": f"{programs}:{os.environ['PATH']}"} | variables
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run_on_terminal(self, *arguments: str, typed: str = "", columns: int = 100, **variables: str) -> Done:
        """Run it on a terminal. Each line of *typed* answers a question. Both streams are in `out`."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        pid = self._start(arguments, [terminal] * 3, {"TERM": "xterm-256color"} | variables, is_on_terminal=True)
        os.close(terminal)
        answers = typed.splitlines(keepends=True)
        written = b""
        while part := _read(controller):
            written += part
            if answers and written.endswith(b": "):
                os.write(controller, answers.pop(0).encode())
        os.close(controller)
        # Only a process that is silent for too long is still there.
        return Done(Launcher.of_this_process().wait(pid, SECONDS), written.decode(), "")

    def _start(
        self,
        arguments: tuple[str, ...],
        streams: list[int],
        variables: Mapping[str, str],
        *,
        cwd: Path | None = None,
        is_on_terminal: bool = False,
    ) -> int:
        call = Call(
            arguments=arguments,
            folder=str(cwd or self.folder),
            environment={**self.variables, **variables},
            is_on_terminal=is_on_terminal,
        )
        return Launcher.of_this_process().start(call, streams)


def _read(controller: int) -> bytes:
    """Return the next bytes, or none if the process has ended, or is silent for too long."""
    if not select.select([controller], [], [], SECONDS)[0]:
        return b""
    try:
        return os.read(controller, 1 << 16)
    except OSError:  # Linux's way to say that the other side is closed
        return b""
