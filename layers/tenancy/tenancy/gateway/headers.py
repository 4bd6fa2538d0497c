"""The headers of a request: names in lower case, with all values."""

from collections.abc import Mapping
from typing import Any, Final

AUTHORIZATION: Final = "authorization"


def parse_header_values(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return all values of every header in *event*, by the name in lower case.

    API Gateway repeats the last value of `multiValueHeaders` in `headers`. That value is returned once.
    """
    values: dict[str, list[str]] = {}
    for name, sent in (event.get("multiValueHeaders") or {}).items():
        values.setdefault(name.lower(), []).extend(sent)
    for name, value in (event.get("headers") or {}).items():
        found = values.setdefault(name.lower(), [])
        if value not in found:
            found.append(value)
    return {name: tuple(found) for name, found in values.items()}
