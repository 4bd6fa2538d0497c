import re
import threading

import pytest

from scripts import progress as progress_module
from scripts.progress import progress, wait_until


def test_long_phase_is_reported_until_it_ends() -> None:
    said: list[str] = []
    reported = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        reported.set()

    with progress(say, "building", every_seconds=0.01):
        reported.wait()

    assert all(re.fullmatch(r"building: \d+ s so far", line) for line in said)
    assert "progress" not in [thread.name for thread in threading.enumerate()]


def test_short_phase_is_silent() -> None:
    said: list[str] = []

    with progress(said.append, "building", every_seconds=3600):
        pass

    assert said == []


def test_wait_ends_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "POLL_SECONDS", 0)
    answers = iter([False, False, True])

    wait_until(print, "the events", lambda: next(answers))

    assert list(answers) == []


def test_wait_that_takes_too_long_names_its_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "WAIT_SECONDS", 0)

    with pytest.raises(TimeoutError, match="the events did not come in 0 s"):
        wait_until(print, "the events", lambda: False)
