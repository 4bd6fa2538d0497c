"""Health check of the API. It calls no store."""

from typing import Any

from tenancy.gateway.http import Request, Response, json_answer
from tenancy.gateway.query import require_known_query
from tenancy.gateway.serve import serve


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Return 200."""
    require_known_query(request)
    return json_answer(200, {"status": "ok"})


handler = serve(answer)
