"""The Powertools router with validation, for functions off the hot path."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as RouteNotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from tenancy.errors import FieldError, InvalidError, MalformedRequestError, NotFoundError, TooLargeError
from tenancy.gateway.admission import admit_request
from tenancy.gateway.http import STAGE_PREFIX, Request
from tenancy.gateway.mentions import list_mentions
from tenancy.gateway.serve import Handler, serve
from tenancy.gateway.trail import AuditTrail
from tenancy.rules.resolution import resolve
from tenancy.rules.tenant import Caller
from tenancy.use_cases.admission.admit import AdmissionGate

MAX_BODY_BYTES: Final = 256 * 1024
# Powertools would log the text of every error. The text of a driver's error may quote a row. `serve` logs without it.
logging.getLogger("aws_lambda_powertools.event_handler.api_gateway").disabled = True


def api() -> APIGatewayRestResolver:
    """Return a router with our own error answers.

    Powertools' own 404 and 422 bodies never reach a client.
    """
    app = APIGatewayRestResolver(enable_validation=True, strip_prefixes=[STAGE_PREFIX])

    @app.not_found
    def not_found(_: RouteNotFoundError) -> Response[str]:
        raise NotFoundError("There is no such route.")

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def invalid(error: RequestValidationError) -> Response[str]:
        raise _refusal(error)

    return app


def handler_of(
    app: APIGatewayRestResolver,
    *,
    base_domain: str,
    upgrade_url: str | None,
    trail: AuditTrail,
    gate: AdmissionGate,
) -> Handler:
    """Return the Lambda handler of *app*.

    Before a route runs, the caller and the organization are known.

    *gate* admits the request before anything else costs time or leaves a trace. *trail* records it. Refusals over a
    quota show *upgrade_url*.
    """

    def answer(request: Request, event: dict[str, Any], context: object) -> dict[str, Any]:
        caller = request.caller()
        with trail.audited(request, caller):
            caller = admit_request(gate, request, caller, now=datetime.now(UTC))
            resolve(caller, list_mentions(request, request.body), base_domain=base_domain).require_accepted()
            members = _as_json(request)
            app.append_context(caller=caller, request=request)  # type: ignore[no-untyped-call]
            try:
                return app.resolve({**event, **members}, context)  # type: ignore[arg-type]
            finally:
                app.clear_context()  # type: ignore[no-untyped-call]

    return serve(answer, upgrade_url=upgrade_url)


def parse_json(body: bytes) -> str:
    """Return *body* as text if it is JSON that every store can hold.

    NaN, lone surrogates and deep nesting are rejected.

    Raises:
        TooLargeError: the body has more than `MAX_BODY_BYTES` bytes.
        MalformedRequestError: the body is not such JSON.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"The body has {len(body)} bytes. At most {MAX_BODY_BYTES} are allowed.")
    try:
        text = body.decode()
        msgspec.json.decode(text)
        json.loads(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON.") from error
    return text


def _as_json(request: Request) -> dict[str, Any]:
    """Return the members of an event with a JSON body, for any content type of the client.

    `curl -d` sends JSON as a form.
    """
    headers = {**request.headers, "content-type": "application/json"}
    return {
        "body": parse_json(request.body) if request.body else None,
        "isBase64Encoded": False,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
    }


def caller_of(app: APIGatewayRestResolver) -> Caller:
    """Return the caller of the current request.

    Raises:
        KeyError: the route has no authorizer. A test compares the routes with the template.
    """
    caller: Caller = app.context["caller"]
    return caller


def request_of(app: APIGatewayRestResolver) -> Request:
    """Return the current request.

    Raises:
        KeyError: as for `caller_of`.
    """
    request: Request = app.context["request"]
    return request


def _refusal(error: RequestValidationError) -> InvalidError | MalformedRequestError:
    entries = error.errors()
    if any(entry.get("type") == "json_invalid" for entry in entries):
        return MalformedRequestError("The body is not valid JSON.")
    return InvalidError(
        "The request is not valid. `errors` lists the fields.",
        errors=[
            FieldError(location=_location(entry["loc"]), code=str(entry["type"]), message=entry["msg"])
            for entry in entries
        ],
    )


def _location(steps: Sequence[object]) -> str:
    """Return the location of a field.

    For a query that is one model, the name of the model is left out.
    """
    match steps:
        case ["query", _, *names] if names:
            return "/".join(["query", *map(str, names)])
    return "/".join(str(step) for step in steps)
