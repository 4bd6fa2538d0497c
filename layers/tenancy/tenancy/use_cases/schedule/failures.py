"""Independent steps: a step that fails does not stop the others."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collect_failures(failures: list[Exception]) -> Iterator[None]:
    """Add an exception of the block to *failures*.

    The caller must raise *failures* after all steps.
    """
    try:
        yield
    except Exception as failure:  # noqa: BLE001 - raised after the other steps
        failures.append(failure)
