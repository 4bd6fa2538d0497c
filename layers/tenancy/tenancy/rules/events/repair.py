"""Repairs the JSON of Segment SDKs (docs/api.md, "Segment").

Otherwise one invalid text or number would lose its batch. Each function takes valid UTF-8 and reads it a few times. No
other invalid JSON becomes valid. The bytes 0xFE and 0xFF are in no UTF-8 text, so they can stand for escapes.
"""

import re
from typing import Final

# The escape of a surrogate or of a pair, after an even number of backslashes. After an odd one it is no escape.
SURROGATES: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
PAIR_BYTES: Final = 12
MAX_SURROGATES: Final = 100_000
NUL: Final = b"\\u0000"  # as JSON escapes it
REPLACEMENT: Final = b"\\ufffd"  # U+FFFD
BACKSLASH, QUOTE = (b"\\\\", b"\xff"), (b'\\"', b"\xfe")  # each escape, and the byte that stands for it
# Python's json module writes these words, and so does pandas.
NO_NUMBER: Final = re.compile(rb"NaN|-?Infinity")
MAX_NO_NUMBERS: Final = 200_000
DELIMITER: Final = b'"'


def repair_json(body: bytes) -> bytes:
    """Return *body* with lone surrogates as U+FFFD, and NaN and infinite numbers as null."""
    return replace_no_numbers(replace_lone_surrogates(body))


def replace_lone_surrogates(body: bytes) -> bytes:
    """Replace each lone surrogate by U+FFFD, as `String.toWellFormed()` does.

    All other bytes stay. JSON has backslashes in strings only, so no other text matches. A body with more surrogates
    than any SDK sends stays unchanged, because replacing takes time.
    """
    surrogates = body.count(b"\\ud") + body.count(b"\\uD")
    if not 0 < surrogates <= MAX_SURROGATES:
        return body
    return SURROGATES.sub(lambda found: found[0] if len(found[2]) == PAIR_BYTES else found[1] + REPLACEMENT, body)


def replace_nul(body: bytes) -> bytes:
    """Replace each U+0000 by U+FFFD, because PostgreSQL, for example, cannot store it.

    All other bytes stay.
    """
    if NUL not in body:
        return body
    escape, mark = BACKSLASH
    return body.replace(escape, mark).replace(NUL, REPLACEMENT).replace(mark, escape)


def replace_no_numbers(body: bytes) -> bytes:
    """Replace `NaN`, `Infinity` and `-Infinity` outside strings by null.

    All other bytes stay. A body with more of these words than any SDK sends stays unchanged, because replacing takes
    time.
    """
    if not 0 < body.count(b"NaN") + body.count(b"Infinity") <= MAX_NO_NUMBERS:
        return body
    marked = body
    for escape, mark in (BACKSLASH, QUOTE):
        marked = marked.replace(escape, mark)
    parts: list[bytes] = []
    start = delimiters = 0
    for found in NO_NUMBER.finditer(marked):
        delimiters += marked.count(DELIMITER, start, found.start())
        is_in_string = delimiters % 2
        parts += (marked[start : found.start()], found[0] if is_in_string else b"null")
        start = found.end()
    repaired = b"".join([*parts, marked[start:]])
    for escape, mark in (QUOTE, BACKSLASH):
        repaired = repaired.replace(mark, escape)
    return repaired
