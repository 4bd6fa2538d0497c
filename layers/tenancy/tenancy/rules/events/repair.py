"""Repairs the JSON of Segment SDKs (docs/api.md, "Segment").

Otherwise one invalid text or number would lose its batch. Each function takes valid UTF-8, reads it a few times in C,
and calls no Python code for each place that it repairs. So it takes a body of any size. No other invalid JSON becomes
valid. The bytes 0xFE and 0xFF are in no UTF-8 text, so they can stand for escapes.
"""

import re
from collections.abc import Iterator
from typing import Final

from tenancy.rules.events.row import NUL
from tenancy.rules.json_members import ESCAPE

# The escape of a surrogate without its other half. Escaped backslashes are marked before, so `\\u` begins an escape.
LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
REPLACEMENT: Final = b"\\ufffd"  # U+FFFD
BACKSLASH, QUOTE = (b"\\\\", b"\xff"), (b'\\"', b"\xfe")  # each escape, and the byte that stands for it
# Python's json module writes these words, and so does pandas. The longest comes first.
NON_FINITE_NUMBERS: Final = (b"-Infinity", b"Infinity", b"NaN")
DELIMITER: Final = b'"'
CHUNK_BYTES: Final = 64 * 1024


def repair_json(body: bytes) -> bytes:
    """Return *body* with lone surrogates as U+FFFD, and NaN and infinite numbers as null."""
    return replace_non_finite_numbers(replace_lone_surrogates(body))


def replace_lone_surrogates(body: bytes) -> bytes:
    """Replace each lone surrogate by U+FFFD, as `String.toWellFormed()` does.

    All other bytes stay. JSON has backslashes in strings only, so no other text matches.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    escape, mark = BACKSLASH
    return LONE_SURROGATE.sub(rb"\\ufffd", body.replace(escape, mark)).replace(mark, escape)


def replace_nul(body: bytes) -> bytes:
    """Replace each U+0000 by U+FFFD, because PostgreSQL, for example, cannot store it.

    All other bytes stay.
    """
    if ESCAPE not in body or NUL not in body:
        return body
    escape, mark = BACKSLASH
    return body.replace(escape, mark).replace(NUL, REPLACEMENT).replace(mark, escape)


def replace_non_finite_numbers(body: bytes) -> bytes:
    """Replace `NaN`, `Infinity` and `-Infinity` outside strings by null.

    All other bytes stay.
    """
    if not any(word in body for word in NON_FINITE_NUMBERS):
        return body
    for escape, mark in (BACKSLASH, QUOTE):
        body = body.replace(escape, mark)
    body = b"".join(_repaired_chunks(body))
    for escape, mark in (QUOTE, BACKSLASH):
        body = body.replace(mark, escape)
    return body


def _repaired_chunks(body: bytes) -> Iterator[bytes]:
    """Yield *body* repaired, in chunks that begin at a delimiter.

    So no word is in two chunks, and few parts are in memory.
    """
    start = first_outside = 0
    while start < len(body):
        found = body.find(DELIMITER, start + CHUNK_BYTES)
        end = len(body) if found < 0 else found
        parts = body[start:end].split(DELIMITER)
        outside = DELIMITER.join(parts[first_outside::2])
        for word in NON_FINITE_NUMBERS:
            outside = outside.replace(word, b"null")
        if len(parts) > first_outside:
            parts[first_outside::2] = outside.split(DELIMITER)
        yield DELIMITER.join(parts)
        first_outside = (first_outside + len(parts) - 1) % 2
        start = end
