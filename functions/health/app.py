"""Public routes that call no store: the health check, and the OpenAPI document."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tenancy.errors import NO_ROUTE_TEXT, NotFoundError
from tenancy.gateway.http import Request, Response, json_answer, versioned_answer
from tenancy.gateway.query import require_known_query
from tenancy.gateway.serve import serve
from tenancy.rules.durations import DOCUMENT_MAX_AGE_SECONDS

DOCUMENT: Final = Path(__file__).with_name("openapi.json")  # `make openapi` writes it


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request. The template lets no other route through."""
    match request.path:
        case "/health":
            require_known_query(request)
            return json_answer(200, {"status": "ok"})
        case "/openapi.json":
            require_known_query(request)
            text, version = read_document()
            return versioned_answer(request, text, version=version, max_age_seconds=DOCUMENT_MAX_AGE_SECONDS)
    raise NotFoundError(NO_ROUTE_TEXT)


@cache
def read_document() -> tuple[str, str]:
    """Return the document and its version.

    The file is read at the first request for it, so no cold start reads it.
    """
    text = DOCUMENT.read_text(encoding="utf-8")
    return text, sha256(text.encode()).hexdigest()


handler = serve(answer)
