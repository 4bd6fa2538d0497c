"""The maximum size of an answer.

Lambda refuses an answer of more than 6 MiB. It counts the body as one JSON string, with escapes.
"""

import json
from typing import Final

MAX_ANSWER_BYTES: Final = 5_000_000  # docs/api.md promises it to clients
MAX_LIST_BYTES: Final = MAX_ANSWER_BYTES - 500_000  # of the rows of a list; the rest is for members beside it
MAX_EVENTS_BYTES: Final = 4_000_000  # of the events of a page; docs/api.md promises it to clients
MOST_ESCAPED: Final = 6  # times as many bytes as UTF-8, for U+007F


def sent_bytes(text: str) -> int:
    """Return the bytes that *text* takes in the body, with escapes."""
    return len(json.dumps(text))
