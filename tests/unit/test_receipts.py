"""The answer of POST /v1/events stays small, and names every rejected event."""

from uuid import uuid4

import msgspec

from tenancy.errors import FieldError
from tenancy.gateway.answer_size import MAX_LIST_BYTES, MOST_ESCAPED, sent_bytes
from tenancy.gateway.documents.receipts import receipt_document
from tenancy.rules.events.batch import MAX_EVENTS
from tenancy.rules.events.row import Rejection
from tenancy.use_cases.ingest.ingest_events import Receipt


def test_escapes_take_at_most_the_declared_multiple() -> None:
    for character in (*map(chr, range(0x800)), "\u2028", "\uffff", "😀", "\U0010ffff"):
        encoded = msgspec.json.encode(character * 100)

        assert sent_bytes(encoded.decode()) <= MOST_ESCAPED * len(encoded)


def receipt_of(rejections: int, *, text: str, errors: int) -> Receipt:
    fields = tuple(FieldError(location=text, code="missing", message=text) for _ in range(errors))
    rejected = tuple(Rejection(index=number, event_id=text, errors=fields) for number in range(rejections))
    return Receipt(batch_id=uuid4(), accepted=0, held=0, rejected=rejected)


def test_small_receipt_keeps_all_details() -> None:
    receipt = receipt_of(MAX_EVENTS, text="x" * 100, errors=3)

    assert receipt_document(receipt) is receipt


def test_large_receipt_names_every_event_within_the_bound() -> None:
    receipt = receipt_of(MAX_EVENTS, text="😀" * 1_000, errors=12)

    document = receipt_document(receipt)

    assert sent_bytes(msgspec.json.encode(document).decode()) <= MAX_LIST_BYTES
    assert [each.index for each in document.rejected] == list(range(MAX_EVENTS))
    assert document.rejected[0] == receipt.rejected[0]
    assert {(each.event_id, len(each.errors), each.errors[0].code) for each in document.rejected[-100:]} == {
        (None, 1, "missing")
    }
