"""The size of an answer: Lambda refuses one of more than 6 MiB, in which the body is one JSON string."""

import json
from typing import Final

MAX_ANSWER_BYTES: Final = 5_000_000  # docs/api.md promises it to clients
MAX_LIST_BYTES: Final = MAX_ANSWER_BYTES - 500_000  # of the rows of a list; the rest is for all that is no row


def sent_bytes(text: str) -> int:
    """Return the bytes that *text* takes as a part of the body."""
    return len(json.dumps(text))
