import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scripts.stack import processes
from scripts.stack.errors import StackError
from scripts.stack.processes import Launch, Process

FOREVER = "import time; time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {FOREVER!r}]); {FOREVER}"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"


def launch(code: str, **options: object) -> Launch:
    wanted: dict[str, object] = {"is_ready": lambda: True, "ready_seconds": 5.0, **options}
    return Launch(name="part", command=[sys.executable, "-c", code], environment=dict(os.environ), **wanted)  # type: ignore[arg-type]


def wait_for_log(directory: Path, text: str) -> bool:
    deadline = time.monotonic() + 5
    while text not in processes.log_path(directory, "part").read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return True


def children(process: Process) -> list[psutil.Process]:
    deadline = time.monotonic() + 5
    while not (found := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_stop_spares_the_process_that_has_a_recorded_pid_by_now(tmp_path: Path) -> None:
    processes.start(tmp_path, launch(FOREVER))
    record = tmp_path / "processes" / "part.json"
    written = json.loads(record.read_text(encoding="utf-8"))
    processes.stop(tmp_path, "part")
    with subprocess.Popen([sys.executable, "-c", FOREVER]) as stranger:
        record.write_text(
            json.dumps({**written, "pid": stranger.pid, "started_at": time.time() - 3600}), encoding="utf-8"
        )
        assert processes.find_running(tmp_path, "part") is None
        assert not processes.stop(tmp_path, "part")
        assert stranger.poll() is None
        stranger.kill()


def test_stop_ends_what_a_killed_process_left_behind(tmp_path: Path) -> None:
    process = processes.start(tmp_path, launch(PARENT))
    [orphan] = children(process)
    os.kill(process.pid, signal.SIGKILL)
    assert processes.stop(tmp_path, "part")
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_stop_ends_a_process_that_ignores_its_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    process = processes.start(tmp_path, launch(DEAF, is_ready=lambda: wait_for_log(tmp_path, "deaf")))
    processes.stop(tmp_path, "part")
    assert not processes.is_running(process)


def test_a_process_that_dies_at_its_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no such disk"):
        processes.start(tmp_path, launch("import sys; sys.exit('no such disk')", is_ready=lambda: False))


def test_a_process_that_never_serves_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="not ready after"):
        processes.start(tmp_path, launch(FOREVER, is_ready=lambda: False, ready_seconds=0.2))
    assert processes.stop(tmp_path, "part")


def test_a_process_is_started_anew_when_what_it_depends_on_changed(tmp_path: Path) -> None:
    processes.start(tmp_path, launch(FOREVER, depends_on="one"))
    assert processes.serves(tmp_path, launch(FOREVER, depends_on="one"))
    assert not processes.serves(tmp_path, launch(FOREVER, depends_on="another"))
    processes.stop(tmp_path, "part")


def test_a_damaged_record_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "part.json").write_text('{"pid":', encoding="utf-8")
    assert processes.find_running(tmp_path, "part") is None
    assert not processes.stop(tmp_path, "part")
