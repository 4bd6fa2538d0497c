"""Texts that people read, in every script: names, and reasons.

The rules are those of FreeformClass (RFC 8264, 4.3), with four differences: joiners are allowed everywhere, marks and
letters that Unicode calls ignorable are allowed beside visible characters, and so are the format characters that are
visible or arrange visible ones, and the tags of three flags.
"""

import re
import unicodedata
from itertools import takewhile
from typing import Final, LiteralString

NAME_MAX_CHARACTERS: Final = 255
# A composed character has at most 4 characters before composition (https://unicode.org/faq/normalization.html#12).
MAX_EXPANSION: Final = 4
MAX_MARKS: Final = 30  # in a row, of text in any language (UAX #15, 13, "Stream-Safe Text Format")
SPACES: Final = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
JOINERS: Final = "\u200c\u200d"
# Format characters with a shape: Arabic and Kaithi number signs (PropList.txt, Prepended_Concatenation_Mark).
VISIBLE_FORMATS: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u0890\u0891\u08e2\U000110bd\U000110cd")
# Format characters that only arrange other ones: the Syriac abbreviation mark and the joiners of Egyptian hieroglyphs.
# All other format characters are refused: controls of direction (PropList.txt, Bidi_Control: U+061C, U+200E, U+200F,
# U+202A to U+202E, U+2066 to U+2069) and others.
ARRANGING_FORMATS: Final = frozenset("\u070f") | frozenset(map(chr, range(0x13430, 0x13440)))
# Letters and symbols without a shape: Hangul fillers, Braille blank, blanks of hieroglyphs, null notehead.
BLANKS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\U00013441\U00013442\U0001d159")
# The flags of England, Scotland and Wales, in tags: the only ones of subdivisions that are recommended for interchange
# (UTS #51, emoji-sequences.txt, RGI_Emoji_Tag_Sequence). Tags elsewhere are hidden text.
FLAGS: Final = tuple(
    f"\U0001f3f4{''.join(chr(0xE0000 + ord(letter)) for letter in name)}\U000e007f"
    for name in ("gbeng", "gbsct", "gbwls")
)
FLAG: Final = re.compile("|".join(FLAGS))
# General categories: letters, marks, numbers, punctuation, symbols and spaces. Not controls, formats, surrogates,
# private-use, unassigned, line and paragraph separators.
VISIBLE: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No"}) | frozenset(
    {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So"}
)
ALLOWED: Final = VISIBLE | frozenset({"Mn", "Mc", "Me", "Zs"})
# Characters without a shape, as in a regular expression: spaces, separators, controls, format characters except the
# visible ones, blanks, and marks (DerivedCoreProperties.txt, Default_Ignorable_Code_Point). Unassigned and private-use
# characters may be visible in a newer version of Unicode, or in a font.
INVISIBLE: Final = (
    r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u2064"
    r"\u2066-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    rf"\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef{''.join(sorted(BLANKS))}"
)
ALLOWED_FORMATS: Final = frozenset(JOINERS) | VISIBLE_FORMATS | ARRANGING_FORMATS


def compose(text: str) -> str:
    """Return *text* composed (NFC), so that all spellings of a character are one.

    Composition can take quadratic time, so the caller bounds the length of *text* first.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_cheap(text: str) -> bool:
    """Whether *text* has at most 30 combining marks in a row.

    To compose more takes quadratic time.

    A longer run has a mark at one of every 31st places, so only these and their neighbours are looked at.
    """
    places = range(MAX_MARKS, len(text), MAX_MARKS + 1)
    return not any(unicodedata.combining(text[place]) and _is_in_long_run(text, place) for place in places)


def _is_in_long_run(text: str, place: int) -> bool:
    before, after = text[max(place - MAX_MARKS, 0) : place][::-1], text[place + 1 : place + 1 + MAX_MARKS]
    marks = (sum(1 for _ in takewhile(unicodedata.combining, side)) for side in (before, after))
    return sum(marks) >= MAX_MARKS


def parse_bounded(text: str, *, max_characters: int) -> str:
    """Return *text* composed, if it has 1 to *max_characters* characters then.

    A text with more than `MAX_EXPANSION` times as many characters is refused before it is composed.

    Raises:
        ValueError: the text is empty or too long.
    """
    composed = compose(text) if _may_fit(text, max_characters) else ""
    if not 1 <= len(composed) <= max_characters:
        raise _custom_error(
            "text_length", "Expected 1 to {most} characters, counted after composition (NFC).", {"most": max_characters}
        )
    return composed


def _custom_error(code: LiteralString, message: LiteralString, values: dict[str, object] | None = None) -> ValueError:
    """Return pydantic's error. Functions without bodies of pydantic do not import it with this module."""
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 - docs/decisions/0012-hot-path-imports.md

    return PydanticCustomError(code, message, values)


def parse_line(text: str, *, max_characters: int) -> str:
    """Return *text* in the stored form of human texts: composed (NFC), without outer spaces.

    Raises:
        ValueError: *text* is not one visible line of 1 to *max_characters* characters.
    """
    inner = text.strip(SPACES) if _may_fit(text, max_characters) else text
    line = parse_bounded(inner, max_characters=max_characters)
    if not _has_allowed_characters(line) or not any(map(_is_visible, line)):
        raise _custom_error(
            "invalid_characters",
            "Expected one line of visible characters. Control, bidirectional control, private-use and unassigned "
            "characters are not allowed.",
        )
    return line


def parse_name(text: str) -> str:
    """Return *text* in the stored form of names.

    Raises:
        ValueError: *text* is not one visible line of 1 to 255 characters.
    """
    return parse_line(text, max_characters=NAME_MAX_CHARACTERS)


def _may_fit(text: str, max_characters: int) -> bool:
    return len(text) <= MAX_EXPANSION * max_characters


def _has_allowed_characters(line: str) -> bool:
    return all(
        character in ALLOWED_FORMATS or unicodedata.category(character) in ALLOWED for character in FLAG.sub("", line)
    )


def _is_visible(character: str) -> bool:
    return character in VISIBLE_FORMATS or (character not in BLANKS and unicodedata.category(character) in VISIBLE)
