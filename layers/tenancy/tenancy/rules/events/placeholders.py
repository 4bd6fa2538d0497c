"""Recognizes ids that stand for a missing one, because many devices share them.

Sources: Apple's `advertisingIdentifier` is all zeros without a permission. Android's `getMacAddress` has returned
02:00:00:00:00:00 since Android 6. Emulators and some phones with Android 2.2 share one `ANDROID_ID`. The words are the
empty values of programming languages as text.
"""

import string
from typing import Final

WORDS: Final = frozenset(
    {"unknown", "undefined", "null", "(null)", "<null>", "nil", "<nil>", "none", "nan", "n/a", "[object object]"}
)
SHARED_IDS: Final = frozenset({"02:00:00:00:00:00", "020000000000", "9774d56d682e549c"})
PLACEHOLDERS: Final = WORDS | SHARED_IDS
LONGEST_PLACEHOLDER: Final = max(map(len, PLACEHOLDERS))
QUOTES: Final = "'\"`"
# Unicode's spaces, and characters without a width.
BLANKS: Final = (
    f"{string.whitespace}\u00a0\u00ad\u2000\u2002\u2003\u2009\u200b\u200c\u200d\u2028\u2029\u2060\u3000\ufeff"
)
EDGES: Final = BLANKS + QUOTES
# Blanks, zeros and the punctuation of ids. No id consists of these alone.
FILLERS: Final = f"{EDGES}0-_:.{{}}[]"


def is_placeholder(text: str) -> bool:
    """Tell whether *text* is empty, blank, only zeros, or a known placeholder in any case."""
    if not text.strip(FILLERS):
        return True
    bare = text.strip(EDGES)
    return len(bare) <= LONGEST_PLACEHOLDER and bare.lower() in PLACEHOLDERS
