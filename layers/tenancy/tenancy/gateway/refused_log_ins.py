"""The metric of log-ins that are refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from tenancy.errors import TooManyAttemptsError, UnauthenticatedError
from tenancy.gateway.metrics import LOG_INS_REFUSED, count


@contextmanager
def counts_refused_log_ins() -> Iterator[None]:
    """Count a refused log-in of the block, by the code of its refusal.

    Raises:
        UnauthenticatedError, TooManyAttemptsError: the block's own refusal.
    """
    try:
        yield
    except (UnauthenticatedError, TooManyAttemptsError) as refusal:
        count(LOG_INS_REFUSED, cause=refusal.code)
        raise
