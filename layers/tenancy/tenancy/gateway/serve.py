"""The wrapper of every HTTP function: errors become problem documents, one line is logged.

Only this module, `custom_resource`, `task` and `metrics` have a broad `except`.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger

from tenancy.errors import InternalError, Refusal
from tenancy.gateway.http import (
    EXPOSED_HEADERS,
    Request,
    Response,
    parse_request,
    preflight_answer,
    problem_answer,
)
from tenancy.gateway.metrics import REQUESTS_REFUSED, count
from tenancy.gateway.request_line import write_request_line

# Admission and permissions refuse with these. Their codes are few, and each one is billed as a metric.
COUNTED_STATUSES: Final = frozenset({402, 403, 429})

logger = Logger()

type Handler = Callable[[dict[str, Any], object], Response]


def serve(answer: Callable[[Request, dict[str, Any], object], Response], *, upgrade_url: str | None = None) -> Handler:
    """Return a Lambda handler around *answer*.

    *answer* gets the request, the raw event and Lambda's context. Refusals over a quota show *upgrade_url*.
    """

    def handler(event: dict[str, Any], context: object) -> Response:
        request, response = _respond(answer, event, context, upgrade_url)
        response.setdefault("headers", {}).update(
            {
                **request.answer_headers,
                "X-Request-Id": request.request_id,
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Expose-Headers": EXPOSED_HEADERS,
            }
        )
        _log(request, response["statusCode"])
        return response

    return handler


def _respond(
    answer: Callable[[Request, dict[str, Any], object], Response],
    event: dict[str, Any],
    context: object,
    upgrade_url: str | None,
) -> tuple[Request, Response]:
    request = parse_request(event)
    try:
        if request.method == "OPTIONS":
            return request, preflight_answer()
        return request, answer(request, event, context)
    except Refusal as refusal:
        if refusal.status in COUNTED_STATUSES:
            count(REQUESTS_REFUSED, cause=refusal.code)
        return request, _problem(refusal, request, upgrade_url)
    except Exception as error:  # noqa: BLE001 - the client gets a problem document for every error
        log_fault(error, request.request_id)
        return request, _problem(InternalError(), request)


def _problem(refusal: Refusal, request: Request, upgrade_url: str | None = None) -> Response:
    return problem_answer(refusal, instance=request.instance, request_id=request.request_id, upgrade_url=upgrade_url)


def log_fault(error: Exception, request_id: str | None = None) -> None:
    """Log the type and the stack of *error*, without its text, which may quote a row."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    logger.error("unexpected error", error=type(error).__name__, frames=frames, request_id=request_id)


def _log(request: Request, status: int) -> None:
    caller: Mapping[str, str] = request.authorizer
    facts: dict[str, object] = {
        "method": request.method,
        "route": request.route,
        "status": status,
        "request_id": request.request_id,
        "organization_id": caller.get("organization_id"),
        "credential_id": caller.get("credential_id"),
    }
    if logger.log_level <= logging.INFO:
        write_request_line(facts | request.logged)
