"""Whether the API answers at all; asks nothing of any store."""

from typing import Any

from tenancy.gateway.http import Request, Response, json_answer
from tenancy.gateway.serve import serve


def answer(_request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Say that we are here."""
    return json_answer(200, {"status": "ok"})


handler = serve(answer)
