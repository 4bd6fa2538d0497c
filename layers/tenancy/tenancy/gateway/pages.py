"""Documents of pages. A page ends early where more rows would make the answer too large."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from tenancy.gateway.answer_size import MAX_LIST_BYTES, sent_bytes
from tenancy.rules.cursors import Page


def fit_page[Row](page: Page[Row], texts: Iterable[str], *, max_bytes: int = MAX_LIST_BYTES) -> Page[Row]:
    """Return the first rows of *page* that fit into *max_bytes*, at least one row.

    *texts* are the rows as the body has them.
    """
    left = max_bytes
    for count, text in enumerate(texts):
        left -= sent_bytes(text)
        if left < 0 and count:
            return page.first(count)
    return page


def page_document[Row](page: Page[Row], document_of: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """Return a page of a list, each row as *document_of* shows it."""
    documents = [document_of(row) for row in page.rows]
    fitted = fit_page(page, map(json.dumps, documents))
    return {"data": documents[: len(fitted.rows)], "pagination": pagination_document(fitted)}


def pagination_document[Row](page: Page[Row]) -> dict[str, Any]:
    """Return the member `pagination` of a page."""
    return {"next_cursor": page.next_cursor, "has_more": page.has_more}
