"""The time in which all connections and look-ups of one request must end."""

import time

from tenancy.errors import FetchFault, UnreachableUrlError


class Deadline:
    """A point in time. A server that sends one byte a second does not extend it."""

    def __init__(self, seconds: float) -> None:
        """Begin now."""
        self._ends_at = time.monotonic() + seconds

    def remaining(self, most: float) -> float:
        """Return the seconds that are left, at most *most*.

        Raises:
            UnreachableUrlError: none are left.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise UnreachableUrlError(FetchFault.TOO_SLOW)
        return min(left, most)
