"""The answer of POST /v1/events: rejections within a bound."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from tenancy.errors import FieldError, shorten
from tenancy.gateway.answer_size import MAX_LIST_BYTES, MOST_ESCAPED, sent_bytes
from tenancy.rules.events.row import Rejection
from tenancy.use_cases.ingest.ingest_events import Receipt

# 2,500 shortened rejections take at most 3 MB, so that both parts together stay within MAX_LIST_BYTES.
DETAILED_BYTES: Final = MAX_LIST_BYTES - 3_000_000
SHORT_LOCATION_CHARACTERS: Final = 60
SHORT_MESSAGE: Final = "The details are left out, because the answer would be too large. Send fewer events to see them."


def receipt_document(receipt: Receipt) -> Receipt:
    """Return *receipt* with rejections that fit into an answer.

    Each keeps its index and the code of its first error. If all together are too large, the first rejections keep all
    details. The others lose their id, their further errors and the message.
    """
    if len(msgspec.json.encode(receipt.rejected)) * MOST_ESCAPED <= MAX_LIST_BYTES:
        return receipt
    sizes = [sent_bytes(msgspec.json.encode(rejection).decode()) for rejection in receipt.rejected]
    if sum(sizes) <= MAX_LIST_BYTES:
        return receipt
    return replace(receipt, rejected=tuple(_shortened(receipt.rejected, sizes)))


def _shortened(rejections: tuple[Rejection, ...], sizes: list[int]) -> Iterator[Rejection]:
    left = DETAILED_BYTES
    for rejection, size in zip(rejections, sizes, strict=True):
        left -= size
        yield rejection if left >= 0 else _short(rejection)


def _short(rejection: Rejection) -> Rejection:
    first = rejection.errors[0]
    location = shorten(first.location, SHORT_LOCATION_CHARACTERS)
    error = FieldError(location=location, code=first.code, message=SHORT_MESSAGE)
    return msgspec.structs.replace(rejection, event_id=None, errors=(error,))
