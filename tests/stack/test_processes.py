import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scripts.stack import processes
from scripts.stack.errors import StackError
from scripts.stack.processes import Launch, Process
from tests.stack.waiting import LIMIT_SECONDS, wait_until

FOREVER = "import time; time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {FOREVER!r}]); {FOREVER}"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"


def launch(code: str, *, is_ready: Callable[[], bool] = lambda: True, depends_on: str = "") -> Launch:
    return Launch(
        name="part",
        command=[sys.executable, "-c", code],
        environment={},
        is_ready=is_ready,
        ready_seconds=LIMIT_SECONDS,
        depends_on=depends_on,
    )


def log(directory: Path) -> str:
    return processes.log_path(directory, "part").read_text(encoding="utf-8")


def child_of(process: Process) -> psutil.Process:
    parent = psutil.Process(process.pid)
    wait_until(lambda: len(parent.children()) == 1)
    return parent.children()[0]


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_stop_spares_another_process_with_the_recorded_pid(tmp_path: Path) -> None:
    processes.start(tmp_path, launch(FOREVER))
    record = tmp_path / "processes" / "part.json"
    written = json.loads(record.read_text(encoding="utf-8"))
    processes.stop(tmp_path, "part")
    with subprocess.Popen([sys.executable, "-c", FOREVER]) as stranger:
        older = {**written, "pid": stranger.pid, "started_at": time.time() - 3600}
        record.write_text(json.dumps(older), encoding="utf-8")

        found = processes.find_running(tmp_path, "part")
        stopped = processes.stop(tmp_path, "part")

        assert (found, stopped, stranger.poll()) == (None, False, None)
        stranger.kill()


def test_stop_ends_the_children_of_a_killed_process(tmp_path: Path) -> None:
    process = processes.start(tmp_path, launch(PARENT))
    orphan = child_of(process)
    os.kill(process.pid, signal.SIGKILL)

    stopped = processes.stop(tmp_path, "part")

    assert stopped
    assert has_ended(orphan)


def test_stop_ends_a_process_that_ignores_its_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    process = processes.start(tmp_path, launch(DEAF, is_ready=lambda: "deaf" in log(tmp_path)))

    processes.stop(tmp_path, "part")

    assert not processes.is_running(process)


def test_process_that_dies_at_its_start_shows_its_output(tmp_path: Path) -> None:
    dying = launch("import sys; sys.exit('no such disk')", is_ready=lambda: False)

    with pytest.raises(StackError, match="no such disk"):
        processes.start(tmp_path, dying)


def test_process_that_never_serves_is_reported(tmp_path: Path) -> None:
    never = replace(launch(FOREVER, is_ready=lambda: False), ready_seconds=0.2)

    with pytest.raises(StackError, match="not ready after"):
        processes.start(tmp_path, never)

    assert processes.stop(tmp_path, "part")


def test_process_restarts_when_its_dependency_changed(tmp_path: Path) -> None:
    processes.start(tmp_path, launch(FOREVER, depends_on="one"))

    same = processes.serves(tmp_path, launch(FOREVER, depends_on="one"))
    other = processes.serves(tmp_path, launch(FOREVER, depends_on="another"))

    assert (same, other) == (True, False)
    processes.stop(tmp_path, "part")


def test_damaged_record_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "part.json").write_text('{"pid":', encoding="utf-8")

    found = processes.find_running(tmp_path, "part")

    assert found is None
    assert not processes.stop(tmp_path, "part")


def test_moved_directory_still_owns_its_processes(tmp_path: Path) -> None:
    process = processes.start(tmp_path / "here", launch(PARENT))
    child = child_of(process)
    (tmp_path / "here").rename(tmp_path / "there")

    found = processes.find_running(tmp_path / "there", "part")
    stopped = processes.stop(tmp_path / "there", "part")

    assert found == process
    assert stopped
    assert has_ended(child)


def test_copied_directory_owns_none_of_the_processes(tmp_path: Path) -> None:
    process = processes.start(tmp_path / "here", launch(FOREVER))
    shutil.copytree(tmp_path / "here", tmp_path / "copy")

    found = processes.find_running(tmp_path / "copy", "part")
    stopped = processes.stop(tmp_path / "copy", "part")

    assert (found, stopped) == (None, False)
    assert processes.is_running(process)
    processes.stop(tmp_path / "here", "part")


def test_record_of_an_earlier_version_is_still_understood(tmp_path: Path) -> None:
    process = processes.start(tmp_path, launch(FOREVER))
    record = tmp_path / "processes" / "part.json"
    written = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({name: written[name] for name in written if name != "directory"}), encoding="utf-8")

    stopped = processes.stop(tmp_path, "part")

    assert stopped
    assert not processes.is_running(process)
