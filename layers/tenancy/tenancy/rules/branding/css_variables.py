"""The values of CSS variables that a branding may set: closed grammars of lengths and fonts, beside colors.

The names are the members of `CssVariables` (gateway/documents/branding.py). No value has a character that ends a
declaration, a string or a tag, and none names a URL.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LENGTH: Final = re.compile(r"0|([0-9]{1,3}(?:\.[0-9]{1,2})?)(px|rem)", re.ASCII)
LONGEST: Final[Mapping[str, float]] = MappingProxyType({"px": 64, "rem": 4})
LENGTH_TEXT: Final = "Expected 0, or a length of at most 64px or 4rem with at most two decimals, such as 8px or 0.5rem."
MAX_FONTS: Final = 5
VALUE_MAX_CHARACTERS: Final = 100
# Fonts of operating systems, and free ones that pages often bring along. A name of several words needs no quotes.
FONTS: Final = (
    "Arial", "Avenir Next", "Calibri", "Cambria", "Courier New", "Fira Sans", "Georgia", "Helvetica", "Helvetica Neue",
    "IBM Plex Sans", "Inter", "Lato", "Menlo", "Merriweather", "Montserrat", "Noto Sans", "Noto Serif", "Nunito",
    "Open Sans", "Poppins", "Roboto", "Segoe UI", "Source Sans 3", "Tahoma", "Times New Roman", "Trebuchet MS",
    "Ubuntu", "Verdana", "Work Sans", "monospace", "sans-serif", "serif", "system-ui", "ui-monospace", "ui-sans-serif",
    "ui-serif",
)  # fmt: skip
FONTS_TEXT: Final = (
    f"Expected 1 to {MAX_FONTS} font names with commas, without quotes, each one of: {', '.join(FONTS)}."
)

_font_names: Final[Mapping[str, str]] = MappingProxyType({name.lower(): name for name in FONTS})


def parse_length(text: str) -> str:
    """Return *text* if it is a length in pixels or in multiples of the page's font size.

    Raises:
        ValueError: it is no such length, or too long.
    """
    found = LENGTH.fullmatch(text)
    if found is None or (found[1] is not None and float(found[1]) > LONGEST[found[2]]):
        raise ValueError(LENGTH_TEXT)
    return text


def parse_fonts(text: str) -> str:
    """Return *text*, a list of known fonts, in the usual spelling.

    Raises:
        ValueError: it is no such list.
    """
    names = [_font_names.get(name.strip(" ").lower()) for name in text.split(",", MAX_FONTS)]
    known = [name for name in names if name is not None]
    if len(text) > VALUE_MAX_CHARACTERS or len(known) < len(names) or len(names) > MAX_FONTS:
        raise ValueError(FONTS_TEXT)
    return ", ".join(known)
