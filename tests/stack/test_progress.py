import re
import threading

from scripts.progress import progress


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
