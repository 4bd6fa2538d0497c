"""Report that a long phase still runs.

The set-up uses this module: Python 3.11 and its standard library must suffice.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 10.0


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
