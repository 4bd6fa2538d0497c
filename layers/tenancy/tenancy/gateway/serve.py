"""Around every HTTP function: refusals and faults become problem documents, and a log line says what came of it.

The one broad `except` of the code base is here.
"""

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

NO_REQUEST: Final = Request(method="", path="", route="", headers={}, body=b"", request_id="", authorizer={})
logger = Logger()

type Handler = Callable[[dict[str, Any], object], Response]


def serve(answer: Callable[[Request, dict[str, Any], object], Response]) -> Handler:
    """Return a Lambda handler around *answer*, which gets the request, the raw event and Lambda's context."""

    def handler(event: dict[str, Any], context: object) -> Response:
        request, response = _respond(answer, event, context)
        response.setdefault("headers", {}).update(
            {
                "X-Request-Id": request.request_id,
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Expose-Headers": EXPOSED_HEADERS,
            }
        )
        _log(request, response["statusCode"])
        return response

    return handler


def _respond(
    answer: Callable[[Request, dict[str, Any], object], Response], event: dict[str, Any], context: object
) -> tuple[Request, Response]:
    request = NO_REQUEST
    try:
        request = parse_request(event)
        if request.method == "OPTIONS":
            return request, preflight_answer()
        return request, answer(request, event, context)
    except Refusal as refusal:
        return request, _problem(refusal, request)
    except Exception:
        logger.exception("unexpected error", request_id=request.request_id)
        return request, _problem(InternalError(), request)


def _problem(refusal: Refusal, request: Request) -> Response:
    return problem_answer(refusal, path=request.path, request_id=request.request_id)


def _log(request: Request, status: int) -> None:
    who: Mapping[str, str] = request.authorizer
    logger.info(
        "request",
        method=request.method,
        route=request.route,
        status=status,
        request_id=request.request_id,
        organization_id=who.get("organization_id"),
        credential_id=who.get("credential_id"),
    )
