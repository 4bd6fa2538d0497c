"""Processes that outlive the command that started them, until a later command stops them.

A pid alone does not identify a process: after a crash or a reboot another program may have the number. A process is
identified by its pid and its start time, which ``<directory>/processes/<name>.json`` holds. Its children (Lambda
workers, for example) inherit a mark in the environment, by which they are found after the process itself was killed.

A directory may be moved while its processes run: they still belong to it. A copy of it does not own them.
"""

import hashlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from scripts.stack.errors import StackError

MARK = "EMBEDDED_STACK_PROCESS"
STOP_SECONDS = 60.0  # enough to save the state on a busy machine
SAME_START_SECONDS = 2.0  # the clock may be set between two looks at one process
POLL_SECONDS = 0.05
# The shell ends at once. The process then belongs to init and never becomes a zombie of its starter.
DETACH = ("/bin/sh", "-c", 'exec "$@" >&2 & echo $!', "sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start one process.

    The process is restarted when its command, its environment or ``depends_on`` changes (a digest of its code, for
    example). So the environment holds nothing of the caller's, such as PATH or HOME.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]
    ready_seconds: float
    before_start: Callable[[], None] = lambda: None
    working_directory: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    depends_on: str = ""

    @property
    def fingerprint(self) -> str:
        """Return a digest that is equal for two launches of the same process."""
        parts = [*self.command, json.dumps(dict(self.environment), sort_keys=True), str(self.user), self.depends_on]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that was started here, with its start time in seconds since the epoch."""

    name: str
    pid: int
    started_at: float
    stop_signal: int
    fingerprint: str
    directory: str = ""  # unknown in a record of an earlier version


def serves(directory: Path, launch: Launch) -> bool:
    """Tell whether the process of *launch* runs already and is ready."""
    running = find_running(directory, launch.name)
    return running is not None and running.fingerprint == launch.fingerprint and launch.is_ready()


def start(directory: Path, launch: Launch) -> Process:
    """Start a process in place of the one recorded under its name, and wait until it is ready.

    Its output goes to ``<directory>/log/<name>.log``.

    Raises:
        StackError: the process ended, or was not ready in time; the message has the last lines of its log.
    """
    stop(directory, launch.name)
    launch.before_start()
    log = log_path(directory, launch.name)
    try:
        pid = _detach(launch, log, _mark(directory, launch.name))
        started_at = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess as error:
        raise StackError.died(launch.name, log) from error
    process = Process(
        name=launch.name,
        pid=pid,
        started_at=started_at,
        stop_signal=launch.stop_signal,
        fingerprint=launch.fingerprint,
        directory=str(directory.resolve()),
    )
    record = _record_path(directory, launch.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(asdict(process)), encoding="utf-8")
    _wait_until_ready(process, launch, log)
    return process


def find_running(directory: Path, name: str) -> Process | None:
    """Return the recorded process if it is alive and belongs to *directory*."""
    process = _read_record(directory, name)
    return process if process and is_running(process) else None


def is_running(process: Process) -> bool:
    """Tell whether *process* is alive, and not another process with its pid."""
    try:
        now = psutil.Process(process.pid)
        same = abs(now.create_time() - process.started_at) < SAME_START_SECONDS
        return same and now.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(directory: Path, name: str) -> bool:
    """Stop the recorded process and its children, and tell whether there were any."""
    record = _read_record(directory, name)
    process = record if record and is_running(record) else None
    if process is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, process.stop_signal)
        _wait_for_end(process)
    folders = {directory, Path(record.directory) if record and record.directory else directory}
    left = list(_find_marked({_mark(folder, name) for folder in folders}))
    for orphan in left:
        with suppress(psutil.NoSuchProcess):
            orphan.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)
    _record_path(directory, name).unlink(missing_ok=True)
    return process is not None or bool(left)


def log_path(directory: Path, name: str) -> Path:
    """Return the file for the output of the process *name*."""
    return directory / "log" / f"{name}.log"


def _detach(launch: Launch, log: Path, mark: str) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        shell = subprocess.run(
            [*DETACH, *launch.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            env={**launch.environment, MARK: mark},
            cwd=launch.working_directory,
            user=launch.user,
            group=pwd.getpwnam(launch.user).pw_gid if launch.user else None,
            extra_groups=[] if launch.user else None,
            start_new_session=True,
            check=True,
        )
    return int(shell.stdout)


def _wait_until_ready(process: Process, launch: Launch, log: Path) -> None:
    deadline = time.monotonic() + launch.ready_seconds
    while not launch.is_ready():
        if not is_running(process):
            raise StackError.died(process.name, log)
        if time.monotonic() > deadline:
            raise StackError.late(process.name, launch.ready_seconds, log)
        time.sleep(POLL_SECONDS)


def _wait_for_end(process: Process) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while is_running(process):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _find_marked(marks: Collection[str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) in marks:
                yield process


def _read_record(directory: Path, name: str) -> Process | None:
    """Return the record of *name*, or None if there is none or if *directory* is a copy."""
    try:
        text = _record_path(directory, name).read_text(encoding="utf-8")
        record = Process(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None
    if record.directory in ("", str(directory.resolve())):
        return record
    try:
        original = _record_path(Path(record.directory), name).read_text(encoding="utf-8")
    except OSError:
        return record  # the directory was moved here
    return None if original == text else record


def _mark(directory: Path, name: str) -> str:
    return f"{directory.resolve()}#{name}"


def _record_path(directory: Path, name: str) -> Path:
    return directory / "processes" / f"{name}.json"
