"""The Powertools router with validation, for functions off the hot path."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, Final

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as RouteNotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.compat import ModelField
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel

from tenancy.errors import (
    BODY,
    NO_ROUTE_TEXT,
    QUERY,
    FieldError,
    InvalidError,
    NotFoundError,
)
from tenancy.gateway.admission import admit_request
from tenancy.gateway.bodies import parse_json, read_body, too_many
from tenancy.gateway.field_errors import list_field_errors
from tenancy.gateway.forms import form_of
from tenancy.gateway.http import Request
from tenancy.gateway.late_checks import QueryMembers
from tenancy.gateway.mentions import list_mentions
from tenancy.gateway.query import is_any_query_taken, list_query_errors
from tenancy.gateway.recorded_reads import is_recorded
from tenancy.gateway.rights import Right, callers_of, right_of
from tenancy.gateway.serve import Handler, serve
from tenancy.gateway.trail import AuditTrail
from tenancy.rules.host_names import PlatformHosts
from tenancy.rules.json_members import MAX_MEMBER_ERRORS, unknown_member
from tenancy.rules.named_organization import NamedOrganization, read_names
from tenancy.rules.resolution import ORGANIZATION_MEMBER, find_id, find_listed_mentions, find_mentions, resolve
from tenancy.rules.tenant import AdmittedCaller, AdmittedTenant, Caller, Operator
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.admission.domain_owners import DomainOwners

MAX_BODY_BYTES: Final = 256 * 1024
MAX_PUBLIC_BODY_BYTES: Final = 16 * 1024  # of a route without an authorizer: an address, a password, a token
MAX_QUERY_MEMBERS: Final = 100
INVALID_REQUEST_TEXT: Final = "The request is not valid. `errors` lists the fields."
# Powertools would log the text of every error. The text of a driver's error may quote a row. `serve` logs without it.
logging.getLogger("aws_lambda_powertools.event_handler.api_gateway").disabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredRoute:
    """A route with the right that it needs.

    *is_recorded* tells whether reads by keys are recorded. A public route has no caller. One that takes a form reads it
    itself.
    """

    method: str
    rule: re.Pattern[str]
    right: Right
    is_recorded: bool
    is_public: bool
    takes_form: bool


def api() -> APIGatewayRestResolver:
    """Return a router with our own error answers.

    Powertools' own 404 and 422 bodies never reach a client.
    """
    app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=msgspec.json.decode)

    @app.not_found
    def not_found(_: RouteNotFoundError) -> Response[str]:
        raise NotFoundError(NO_ROUTE_TEXT)

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def invalid(error: RequestValidationError) -> Response[str]:
        errors = list_unknown_members(app)
        located = {each.location for each in errors}
        errors += [each for each in list_field_errors(error.errors()) if each.location not in located]
        raise InvalidError(INVALID_REQUEST_TEXT, errors=[*errors, *list_late_errors(app, errors)])

    app.use(middlewares=[require_known_members])
    return app


def require_known_members(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[str]:
    """Refuse a valid request with unknown or repeated members.

    pydantic finds unknown members of a body that the route takes.

    Raises:
        InvalidError: a query member is unknown or repeated, or the route takes no body and has one with members.
    """
    errors = list_unknown_members(app)
    if errors:
        raise InvalidError(INVALID_REQUEST_TEXT, errors=[*errors, *list_late_errors(app, errors)])
    return next_middleware(app)


def list_late_errors(app: APIGatewayRestResolver, errors: Iterable[FieldError]) -> list[FieldError]:
    """Return the errors of the late checks whose members have no *errors*."""
    route: Route = app.context["_route"]
    at_fault = {each.location for each in errors}
    found = (_find_query(parameter, request_of(app), at_fault) for parameter in route.dependant.query_params)
    return [each for query in found if query for each in query.list_late_errors(at_fault, datetime.now(UTC))]


def _find_query(parameter: ModelField, request: Request, at_fault: Collection[str]) -> QueryMembers | None:
    model = parameter.field_info.annotation
    if isinstance(model, type) and issubclass(model, QueryMembers):
        return model.find_valid(request.query_values, at_fault)
    return None


def list_unknown_members(app: APIGatewayRestResolver) -> list[FieldError]:
    """Return an error for each unknown member and each repeated query member."""
    route: Route = app.context["_route"]
    errors: list[FieldError] = []
    if not is_any_query_taken(route.func):
        errors += list_query_errors(request_of(app), known_query(route.dependant.query_params))
    if not route.dependant.body_params and isinstance(body := app.current_event.json_body, dict):
        errors += [unknown_member(name, within=BODY) for name in islice(body, MAX_MEMBER_ERRORS)]
    return errors


def known_query(parameters: Iterable[ModelField]) -> frozenset[str]:
    """Return the names of query members that a route with these query *parameters* takes."""
    names: set[str] = set()
    for parameter in parameters:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= {field.alias or name for name, field in model.model_fields.items()}
        else:
            names.add(parameter.alias)
    return frozenset(names)


def handler_of(
    app: APIGatewayRestResolver,
    *,
    hosts: PlatformHosts,
    domain_owners: DomainOwners,
    upgrade_url: str | None,
    trail: AuditTrail,
    gate: AdmissionGate,
    add_read_token: Callable[[Request, Caller, dict[str, Any]], None] | None = None,
) -> Handler:
    """Return the Lambda handler of *app*.

    Before a route runs, the caller, the organization and the right of the caller are known. The order is that of
    docs/decisions/0043-cheap-before-believed.md: the body is read last. A public route has no caller and a small body.

    *gate* admits the request first. *trail* records it. *hosts* are those of the platform, and *domain_owners* finds
    the organizations of other hosts. Refusals over a quota show *upgrade_url*. *add_read_token* gets each answer of a
    route for a caller.

    Raises:
        LookupError: a route of *app* does not say which right it needs.
    """
    routes = _routes_of(app)

    def answer(request: Request, event: dict[str, Any], context: object) -> dict[str, Any]:
        route = _find_route(routes, request)
        if route is not None and route.is_public:
            answer_public = _answer_form if route.takes_form else _answer_public
            return answer_public(app, request, event, context, hosts=hosts)
        if route is None and not request.authorizer:
            raise NotFoundError(NO_ROUTE_TEXT)  # of the path of a public route, with characters that no parameter has
        caller = request.caller()
        with trail.audited(request, caller, is_recorded=route is not None and route.is_recorded):
            now = datetime.now(UTC)
            admitted = admit_request(gate, request, caller, now=now)
            mentions = list_mentions(request)
            owners = domain_owners.find(mentions, now=now)
            resolve(caller, mentions, base_domain=hosts.base_domain, domain_owners=owners).require_accepted()
            _authorize(route, request, caller)
            body = read_body(request, most=MAX_BODY_BYTES)
            named = (*mentions, *find_mentions(body), *find_listed_mentions(body))
            if len(named) > len(mentions):
                resolve(caller, named, base_domain=hosts.base_domain, domain_owners=owners).require_accepted()
            members = _as_json(request, body)
            response = _run_route(app, {**event, **members}, context, caller=admitted, request=request)
            if add_read_token is not None:
                add_read_token(request, caller, response)
            return response

    return serve(answer, upgrade_url=upgrade_url)


def _answer_public(
    app: APIGatewayRestResolver, request: Request, event: dict[str, Any], context: object, *, hosts: PlatformHosts
) -> dict[str, Any]:
    """Answer a request of a public route.

    Raises:
        InvalidError: the query has more members than any route takes.
        TooLargeError: the body has more than `MAX_PUBLIC_BODY_BYTES` bytes.
        MalformedRequestError: the body is no JSON that every store can hold.
    """
    _require_few_members(request)
    body = read_body(request, most=MAX_PUBLIC_BODY_BYTES)
    mentions = (*list_mentions(request), *find_mentions(body), *find_listed_mentions(body))
    names = partial(read_names, mentions, hosts=hosts)
    return _run_route(app, {**event, **_as_json(request, body)}, context, names=names, request=request)


def _answer_form(
    app: APIGatewayRestResolver, request: Request, event: dict[str, Any], context: object, *, hosts: PlatformHosts
) -> dict[str, Any]:
    """Answer a request of a public route whose body is a form. No organization is named in it.

    Raises:
        InvalidError: the query has more members than any route takes.
    """
    _require_few_members(request)
    names = partial(read_names, list_mentions(request), hosts=hosts)
    return _run_route(app, {**event, **_as_json(request, b"")}, context, names=names, request=request)


def _run_route(app: APIGatewayRestResolver, event: dict[str, Any], context: object, **values: object) -> dict[str, Any]:
    """Run the route of *event* with *values* in its context, which is cleared afterwards."""
    app.append_context(**values)  # type: ignore[no-untyped-call]
    try:
        return app.resolve(event, context)  # type: ignore[arg-type]
    finally:
        app.clear_context()  # type: ignore[no-untyped-call]


def _routes_of(app: APIGatewayRestResolver) -> list[DeclaredRoute]:
    """Return each route, in the order of Powertools' router."""
    routes = (*app._static_routes, *app._dynamic_routes)  # noqa: SLF001 - Powertools has no other list of them
    return [
        DeclaredRoute(
            method=route.method,
            rule=route.rule,
            right=right_of(route.func),
            is_recorded=is_recorded(route.func),
            is_public=callers_of(route.func).is_public,
            takes_form=form_of(route.func) is not None,
        )
        for route in routes
    ]


def _find_route(routes: Sequence[DeclaredRoute], request: Request) -> DeclaredRoute | None:
    """Return the route that Powertools will call, or None without one."""
    found = (each for each in routes if each.method == request.method and each.rule.fullmatch(request.path))
    return next(found, None)


def _authorize(route: DeclaredRoute | None, request: Request, caller: Caller) -> None:
    """Check the right that *route* needs.

    Raises:
        NotFoundError: there is no such route.
        ForbiddenError, ForeignPathError: the caller lacks the right.
        InvalidError: the query has more members than any route takes.
    """
    if route is None:
        raise NotFoundError(NO_ROUTE_TEXT)
    route.right(caller, find_id(request.path_parameters.get(ORGANIZATION_MEMBER) or ""))
    _require_few_members(request)


def _require_few_members(request: Request) -> None:
    if len(request.query_values) > MAX_QUERY_MEMBERS:
        raise too_many(QUERY, f"The query has {len(request.query_values)} members", MAX_QUERY_MEMBERS)


def _as_json(request: Request, body: bytes) -> dict[str, Any]:
    """Return the members of an event with a JSON body, for any content type of the client.

    `curl -d` sends JSON as a form.
    """
    headers = {**request.headers, "content-type": "application/json"}
    return {
        "path": request.path,  # the one that was authorized
        "body": parse_json(body) if body else None,
        "isBase64Encoded": False,
        "headers": headers,
        "multiValueHeaders": dict(zip(headers, map(list, zip(headers.values(), strict=True)), strict=True)),
    }


def caller_of(app: APIGatewayRestResolver) -> AdmittedCaller:
    """Return the caller of the current request.

    Raises:
        KeyError: the route has no authorizer. A test compares the routes with the template.
    """
    caller: AdmittedCaller = app.context["caller"]
    return caller


def tenant_of(app: APIGatewayRestResolver) -> AdmittedTenant:
    """Return the tenant that calls a route decorated with `for_tenants`.

    Raises:
        TypeError: the route has another decorator.
    """
    caller = caller_of(app)
    if isinstance(caller, Operator):
        raise TypeError("The route is not for tenants.")
    return caller


def operator_of(app: APIGatewayRestResolver) -> Operator:
    """Return the operator that calls a route decorated with `for_operators`.

    Raises:
        TypeError: the route has another decorator.
    """
    caller = caller_of(app)
    if not isinstance(caller, Operator):
        raise TypeError("The route is not for operators.")
    return caller


def named_by(app: APIGatewayRestResolver, organization: str | None = None) -> NamedOrganization:
    """Return the names of organizations in the current request of a public route.

    *organization* is the name in its body.

    Raises:
        KeyError: the route is not decorated with `for_public`.
    """
    read: Callable[..., NamedOrganization] = app.context["names"]
    return read(organization=organization)


def request_of(app: APIGatewayRestResolver) -> Request:
    """Return the current request.

    Raises:
        KeyError: as for `caller_of`.
    """
    request: Request = app.context["request"]
    return request
