"""Values as texts that are harmless on a terminal.

Organizations and servers write these values, such as names.
"""

import json
import unicodedata
from datetime import timedelta
from typing import Any, Final

# Other formats (Cf) hide text or change its direction. Emoji and some scripts need these two.
JOINERS: Final = "\u200c\u200d"
NOT_VISIBLE: Final = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
ASCII_END: Final = 0x80
BMP_END: Final = 0x10000


def visible(text: str) -> str:
    """Return *text* with its number in place of each invisible character."""
    return "".join(each if _is_visible(each) else _escape(each) for each in text)


def cell(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a value of a document as the text of a table's cell."""
    match value:
        case None | {} | [] if not value:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(map(cell, value))
        case dict():
            return ", ".join(f"{visible(name)}={cell(each)}" for name, each in value.items())
        case _:
            return visible(str(value))


def as_json(document: object, *, indent: int | None = 2) -> str:
    """Return *document* as JSON in ASCII, so that no character of it can act on a terminal."""
    return json.dumps(document, indent=indent)


def countdown(seconds: float) -> str:
    """Return a duration as its two largest units: ``29 d 23 h``, ``1 min 05 s``, ``17 s``."""
    left = timedelta(seconds=max(0, round(seconds)))
    hours, rest = divmod(left.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if left.days:
        return f"{left.days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _is_visible(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in NOT_VISIBLE


def _escape(character: str) -> str:
    number = ord(character)
    if number < ASCII_END * 2:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < BMP_END else f"\\U{number:08x}"
