"""Wait for a condition instead of a time, so that a busy machine only makes a test slow."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 300.0
POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once *condition* holds. A test fails here only if it never does."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(POLL_SECONDS)
