"""Routes whose answers show events, link to them, or show the audit log or a compliance report.

The audit log has all reads of these routes, also those by keys.
"""

from collections.abc import Callable
from typing import Any, Final

RECORDED: Final = "recorded"


def recorded[F: Callable[..., Any]](function: F) -> F:
    """Record the reads of the decorated route by every caller.

    Reads by one key within one minute become one entry. A route without this decorator records the reads of people and
    operators, if its method is GET.
    """
    vars(function)[RECORDED] = True
    return function


def is_recorded(function: Callable[..., Any]) -> bool:
    """Tell whether the route *function* has the decorator."""
    return RECORDED in vars(function)
