"""The size of the parameters of a statement.

A ClickHouse server refuses a parameter of more than 131,072 bytes (`http_max_field_value_size`).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

from clickhouse_connect.driver.binding import format_bind_value

MAX_PARAMETER_BYTES: Final = 60_000  # of all parameters with names that clients chose
SEPARATOR_BYTES: Final = len(", ")


def count_fitting(values: Sequence[Any]) -> int:
    """Return how many of *values*, at least one, a parameter may have.

    The size of a value is that of its text in the request: quotes and backslashes are escaped there.
    """
    sizes = accumulate(
        len(str(format_bind_value(value, top_level=False)).encode()) + SEPARATOR_BYTES for value in values
    )
    return max(1, sum(size <= MAX_PARAMETER_BYTES for size in sizes))


def split_by_size[T](values: Sequence[T], parameters_of: Callable[[T], Any]) -> Iterator[Sequence[T]]:
    """Yield *values* in parts. `parameters_of` of a part's values has at most `MAX_PARAMETER_BYTES`."""
    while values:
        number = count_fitting([parameters_of(value) for value in values])
        yield values[:number]
        values = values[number:]
