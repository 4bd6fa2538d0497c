"""Report that a long phase still runs.

The set-up uses this module: Python 3.11 and its standard library must suffice.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 10.0
WAIT_SECONDS = 900.0  # only a failure waits so long
POLL_SECONDS = 2.0  # fewer than the 100 requests a minute of the starter tier


@contextmanager
def progress(say: Callable[[str], None], phase: str, *, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """Report *phase* and its duration every ten seconds, until the block ends."""
    ended = threading.Event()
    started = time.monotonic()

    def report() -> None:
        while not ended.wait(every_seconds):
            say(f"{phase}: {time.monotonic() - started:.0f} s so far")

    reporter = threading.Thread(target=report, name="progress", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def wait_until(say: Callable[[str], None], subject: str, is_done: Callable[[], bool]) -> None:
    """Wait until *is_done* returns True, and report that *subject* is awaited.

    Raises:
        TimeoutError: it did not return True within `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with progress(say, f"waiting for {subject}"):
        while not is_done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{subject} did not come in {WAIT_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
