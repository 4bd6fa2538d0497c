"""Recognizes ids that stand for a missing one, because many devices share them.

Sources: Apple's `advertisingIdentifier` is all zeros without a permission. Android's `getMacAddress` has returned
02:00:00:00:00:00 since Android 6. Emulators and some phones with Android 2.2 share one `ANDROID_ID`. RFC 9562 (5.9 and
5.10) names the UUIDs of zeros and of ones. The words are the empty values of programming languages as text.
"""

import re
from string import ascii_letters, digits
from typing import Final

from tenancy.rules.texts import INVISIBLE

WORDS: Final = frozenset(
    {"unknown", "undefined", "null", "(null)", "<null>", "nil", "<nil>", "none", "nan", "n/a", "[object object]"}
)
ONES: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
SHARED_IDS: Final = frozenset({
    "02:00:00:00:00:00", "02-00-00-00-00-00", "020000000000",
    "ff:ff:ff:ff:ff:ff", "ff-ff-ff-ff-ff-ff", "ffffffffffff",
    "9774d56d682e549c", "ffffffffffffffff", ONES, f"{{{ONES}}}", ONES.replace("-", ""),
})  # fmt: skip
# Invisible characters, quotes, and U+FFFD, which repaired JSON has in place of U+0000 and of half a surrogate pair.
EDGES: Final = rf"{INVISIBLE}'\"`\ufffd"
# Zeros, and the punctuation of ids. No id consists of these and of edges alone.
FILLERS: Final = rf"{EDGES}0\-_:.{{}}\[\]"
PLACEHOLDER: Final = re.compile(
    f"[{EDGES}]*+(?:(?:0x)?+[{FILLERS}]*+|(?:{'|'.join(map(re.escape, sorted(WORDS | SHARED_IDS)))})[{EDGES}]*+)"
)
# The first characters of most ids. No placeholder begins with one of them.
ID_STARTS: Final = frozenset(ascii_letters + digits).difference(
    "0", *(f"{each[0]}{each[0].upper()}" for each in WORDS | SHARED_IDS)
)


def is_placeholder(text: str) -> bool:
    """Tell whether *text* is empty, invisible, only zeros, or a known placeholder in any case."""
    if text[:1] in ID_STARTS:
        return False
    return PLACEHOLDER.fullmatch(text.lower()) is not None
