"""Independent steps: a failed step, or a moved organization, does not stop the others."""

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
    """End the block without an error if its organization has moved since it was listed.

    The schedule of the other database does the work.
    """
    with suppress(MovedError):
        yield
