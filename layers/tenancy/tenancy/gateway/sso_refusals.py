"""The log and the metric of log-ins by single sign-on that are refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tenancy.gateway.http import Request
from tenancy.gateway.metrics import LOG_INS_REFUSED, count
from tenancy.rules.sso.refusals import SsoForbiddenError, SsoRefusedError

LOGGED_FAULT: Final = "sso_fault"


@contextmanager
def reports_refused_sso(request: Request) -> Iterator[None]:
    """Log why a log-in of the block is refused, and count it.

    Raises:
        SsoRefusedError, SsoForbiddenError: the block's own refusal.
    """
    try:
        yield
    except (SsoRefusedError, SsoForbiddenError) as refusal:
        request.logged[LOGGED_FAULT] = refusal.reason.value
        count(LOG_INS_REFUSED, cause=refusal.code)
        raise
