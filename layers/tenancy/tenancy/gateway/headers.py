"""The headers of a request: names in lower case, with all values."""

from collections.abc import Mapping
from typing import Any, Final

AUTHORIZATION: Final = "authorization"
CONTENT_TYPE: Final = "content-type"
IF_NONE_MATCH: Final = "if-none-match"
ONLY_TEXTS: Final = {str}


def parse_header_values(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return all values of every header in *event*, by the name in lower case. It never raises.

    API Gateway repeats the last value of `multiValueHeaders` in `headers`. That value is returned once. A value that is
    no text is returned as an empty one, so that a second credential is never overlooked.
    """
    return _find_usual(event) or _merge(event)


def _find_usual(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]] | None:
    """Return the values if each header occurs once and has one text, equal in both forms. Otherwise return None.

    Nearly every request is such. No step of this function is Python code for each header.
    """
    one, many = event.get("headers"), event.get("multiValueHeaders")
    if type(one) is not dict or {*map(type, one), *map(type, one.values())} != ONLY_TEXTS:
        return None
    if many != dict(zip(one, map(list, zip(one.values(), strict=True)), strict=True)):
        return None
    values: dict[str, tuple[str, ...]] = dict(zip(map(str.lower, one), zip(one.values(), strict=True), strict=True))
    return values if len(values) == len(one) else None


def _merge(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    values: dict[str, list[str]] = {}
    for name, sent in _members(event.get("multiValueHeaders")):
        values.setdefault(name.lower(), []).extend(_texts(sent))
    for name, sent in _members(event.get("headers")):
        lower = name.lower()
        known = values.get(lower, ())
        for value in (sent,) if isinstance(sent, str) else _texts(sent):
            if value not in known:
                known = values.setdefault(lower, [])
                known.append(value)
    return {name: tuple(found) for name, found in values.items()}


def _members(headers: object) -> list[tuple[str, Any]]:
    return [(str(name), sent) for name, sent in headers.items()] if isinstance(headers, Mapping) else []


def _texts(sent: object) -> list[str]:
    values = sent if isinstance(sent, list) else [sent]
    return [value if isinstance(value, str) else "" for value in values]
