"""The headers of a request: compared in lower case, with every value that was sent."""

from collections.abc import Mapping
from typing import Any, Final

AUTHORIZATION: Final = "authorization"


def parse_header_values(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return every value of every header in an *event*, by the header's name in lower case.

    API Gateway repeats the last value of `multiValueHeaders` in `headers`, where it counts once.
    """
    values: dict[str, list[str]] = {}
    for name, sent in (event.get("multiValueHeaders") or {}).items():
        values.setdefault(name.lower(), []).extend(sent)
    for name, value in (event.get("headers") or {}).items():
        known = values.setdefault(name.lower(), [])
        if value not in known:
            known.append(value)
    return {name: tuple(known) for name, known in values.items()}
