"""Steps that do not wait for each other: one that fails is noted, and the others are done nevertheless."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collect_failures(failures: list[Exception]) -> Iterator[None]:
    """Let the block fail, and add what it raised to *failures*, which whoever began the steps has to raise."""
    try:
        yield
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is raised after the other steps
        failures.append(failure)
