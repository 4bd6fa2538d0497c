"""Independent steps: a step that fails does not stop the others, and neither does an organization that has moved."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tenancy.stores.postgres.client import MovedError


@contextmanager
def collect_failures(failures: list[Exception]) -> Iterator[None]:
    """Add an exception of the block to *failures*.

    The caller must raise *failures* after all steps.
    """
    try:
        yield
    except Exception as failure:  # noqa: BLE001 - raised after the other steps
        failures.append(failure)


@contextmanager
def skip_moved() -> Iterator[None]:
    """Leave the block if its organization has moved to another database since it was listed here.

    The schedule of the other database does the work.
    """
    with suppress(MovedError):
        yield
