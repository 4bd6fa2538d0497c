"""tenantctl as a process: with pipes, or on a terminal."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.given import ROOT

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
        done = subprocess.run(
            self._command(arguments),
            cwd=cwd or self.folder,
            env=self.variables | variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=self.seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

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
        environment: Mapping[str, str] = self.variables | {"TERM": "xterm-256color"} | variables
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=_control_terminal,  # noqa: PLW1509 - two system calls, so that Ctrl-C is a signal
        )
        os.close(terminal)
        answers = typed.splitlines(keepends=True)
        written = b""
        while part := _read(controller):
            written += part
            if answers and written.endswith(b": "):
                os.write(controller, answers.pop(0).encode())
        os.close(controller)
        process.kill()  # only a process that is silent for too long is still there
        return Done(process.wait(SECONDS), written.decode(), "")

    @staticmethod
    def _command(arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "scripts.tenantctl", *arguments]


def _control_terminal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell that starts the tests in the background ignores it
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(controller: int) -> bytes:
    """Return the next bytes, or none if the process has ended, or is silent for too long."""
    if not select.select([controller], [], [], SECONDS)[0]:
        return b""
    try:
        return os.read(controller, 1 << 16)
    except OSError:  # Linux's way to say that the other side is closed
        return b""
