"""Health check of the API. It calls no store."""

from typing import Any

from tenancy.gateway.http import Request, Response, json_answer
from tenancy.gateway.serve import serve


def answer(_request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Return 200."""
    return json_answer(200, {"status": "ok"})


handler = serve(answer)
