"""The operations of the document: one for each route, from the route itself."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from aws_lambda_powertools.event_handler.api_gateway import Route as ResolverRoute
from pydantic import BaseModel

from scripts.openapi.answer_examples import STATIC_FILES, find_examples
from scripts.openapi.direct_routes import JSON, DirectRoute, find_direct_route
from scripts.openapi.examples import Sample, Section, list_samples, section_of
from scripts.openapi.headers import header_references
from scripts.openapi.problems import OF_PUBLIC_ROUTES, OF_ROUTES_WITH_CREDENTIAL, RATE_HEADERS, Problems
from scripts.openapi.routes import DeployedRoute, find_resolver_route, load_function
from scripts.openapi.schemas import Schemas, clean_schema, without_null
from tenancy.errors import Refusal
from tenancy.gateway.answers import answers_of
from tenancy.gateway.console_files import MEDIA_TYPES, SECURITY_HEADERS
from tenancy.gateway.forms import FORM_TYPE, Form, form_of
from tenancy.gateway.http import READ_AFTER
from tenancy.gateway.nearest_reads import is_nearest
from tenancy.gateway.rights import Callers, callers_of
from tenancy.rules.read_tokens import MAX_READ_TOKENS

DONE: Final = "Done."
MISSING: Final = "404"
OPENAPI: Final = "3.1.0"  # in which Powertools writes its part
ORGANIZATION: Final = {
    "name": "X-Organization-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "format": "uuid", "description": "The credential's own organization."},
}
READ_AFTER_TEXT: Final = (
    f"The `{READ_AFTER}` values of the writes that the answer must show, separated by commas."
    f" At most {MAX_READ_TOKENS}."
)
READ_AFTER_PARAMETER: Final = {
    "name": READ_AFTER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "description": READ_AFTER_TEXT},
}
IF_NONE_MATCH: Final = {
    "name": "if-none-match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
}


class Operations:
    """Makes operations, and collects the schemas and responses that they refer to."""

    def __init__(self) -> None:
        """Begin without operations."""
        self.schemas = Schemas()
        self.problems = Problems()

    def make(self, route: DeployedRoute) -> dict[str, Any]:
        """Return the operation of *route*.

        Raises:
            LookupError: its answers, its section in docs/api.md or its samples are missing.
        """
        section = section_of(route)
        resolved = find_resolver_route(route)
        if resolved is None:
            return self._direct(route, find_direct_route(route), section)
        declared, callers = answers_of(resolved.func), callers_of(resolved.func)
        route = replace(route, is_admitted=route.is_admitted and not callers.is_public)
        described = self._described(route, resolved)
        samples = list_samples(route, route.path)
        summary = str(resolved.func.__doc__).partition("\n")[0]
        answer = None if declared.document is None else self.schemas.of_type(declared.document)
        is_operators = callers.are_operators and callers.permission is None
        versioned = [IF_NONE_MATCH] if "ETag" in declared.headers else []
        read_after = [READ_AFTER_PARAMETER] if is_nearest(resolved.func) else []
        named = [*versioned, *([] if is_operators else [ORGANIZATION]), *read_after]
        is_write = route.method != "GET" and not callers.is_public
        headers = _headers(route, {**declared.headers, **({READ_AFTER: False} if is_write else {})})
        body = described.get("requestBody") or _form_body(form_of(resolved.func))
        content = _content(route, answer, section.answer, declared.media_types)
        return {
            **_head(route, section, summary),
            "security": _security(callers),
            **_request([*described.get("parameters", []), *named], body, samples),
            "responses": {
                str(declared.status): {"description": DONE, "headers": headers, **content},
                **({"304": {"description": "Not Modified", "headers": headers}} if versioned else {}),
                **self.problems.responses_of(
                    route, (*_refusals_of(callers), *declared.refusals), declared.refused_headers
                ),
            },
        }

    def _described(self, route: DeployedRoute, resolved: ResolverRoute) -> dict[str, Any]:
        """Return Powertools' part of an operation: its parameters and body.

        For a query that is one model, Powertools has no schemas. They come from the model.
        """
        document = _described_by_powertools(route.function)
        self.schemas.add(document.get("components", {}).get("schemas", {}))
        operation: dict[str, Any] = document["paths"][route.path][route.method.lower()]
        models = [each.field_info.annotation for each in resolved.dependant.query_params]
        members = {
            each["name"]: each
            for model in models
            if isinstance(model, type) and issubclass(model, BaseModel)
            for each in self.schemas.parameters_of(model)
        }
        parameters = [members.get(each["name"], each) for each in operation.get("parameters", [])]
        return {**operation, "parameters": parameters}

    def _direct(self, route: DeployedRoute, direct: DirectRoute, section: Section) -> dict[str, Any]:
        samples = list_samples(route, direct.sampled or route.path)
        content = {name: {"schema": schema} for name, schema in direct.bodies.items()}
        body = {"required": True, "content": content} if content else None
        parameters = [
            *direct.parameters,
            *([IF_NONE_MATCH] if direct.has_not_modified else []),
            *([ORGANIZATION] if route.is_admitted else []),
        ]
        headers = _headers(route, direct.headers)
        content = _content(route, direct.answer, direct.example or section.answer, direct.media_types)
        refused = self.problems.responses_of(route, direct.refusals)
        if direct.has_missing_page:
            refused |= {MISSING: self._missing_page(refused[MISSING])}
        return {
            **_head(route, section, section.purpose),
            "security": direct.security,
            **_request(parameters, body, samples),
            "responses": {
                str(direct.status): {"description": DONE, "headers": headers, **content},
                **({"304": {"description": "Not Modified", "headers": headers}} if direct.has_not_modified else {}),
                **refused,
            },
        }

    def _missing_page(self, refused: Mapping[str, str]) -> dict[str, Any]:
        """Return the response for a missing file or page: a problem document, or the page."""
        response = self.problems.responses[refused["$ref"].rpartition("/")[2]]
        headers = header_references((), ("Vary", "Content-Encoding", *SECURITY_HEADERS))
        page = {MEDIA_TYPES[".html"]: {"schema": {"type": "string"}, "example": STATIC_FILES[MEDIA_TYPES[".html"]]}}
        return {**response, "headers": response["headers"] | headers, "content": response["content"] | page}


@cache
def _described_by_powertools(function: str) -> dict[str, Any]:
    app = load_function(function).app
    schema = app.get_openapi_schema(title=function, version="1", openapi_version=OPENAPI)
    document: dict[str, Any] = schema.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def _head(route: DeployedRoute, section: Section, summary: str) -> dict[str, Any]:
    words = [route.method.lower(), *route.path.strip("/").replace(".", "/").replace("-", "_").split("/")]
    return {
        "operationId": "_".join(word.strip("{}") for word in words),
        "summary": summary,
        "tags": [section.topic],
    }


def _refusals_of(callers: Callers) -> tuple[type[Refusal], ...]:
    return OF_PUBLIC_ROUTES if callers.is_public else OF_ROUTES_WITH_CREDENTIAL


def _form_body(form: Form | None) -> dict[str, Any] | None:
    """Return the body of a route that takes *form*, or None without one."""
    if form is None:
        return None
    properties = {name: {"type": "string"} for name in form.members}
    schema = {"type": "object", "properties": properties, "required": list(form.members)}
    return {"required": True, "content": {FORM_TYPE: {"schema": schema}}}


def _security(callers: Callers) -> list[dict[str, list[str]]]:
    if callers.is_public:
        return []
    if callers.are_members:
        return [{"accessToken": []}]
    operators: list[dict[str, list[str]]] = [{"platformKey": []}] if callers.are_operators else []
    if callers.permission is None:
        return operators
    return [*operators, {"secretKey": [callers.permission]}, {"accessToken": [callers.permission]}]


def _request(
    parameters: Iterable[Mapping[str, Any]], body: Mapping[str, Any] | None, samples: list[Sample]
) -> dict[str, Any]:
    """Return parameters and body, each with its examples by the names of the samples."""
    documented = [_parameter(each, samples) for each in parameters]
    return {
        **({"parameters": documented} if documented else {}),
        **({"requestBody": _body(body, samples)} if body else {}),
    }


def _parameter(parameter: Mapping[str, Any], samples: list[Sample]) -> dict[str, Any]:
    values = {each.name: _values(each, parameter["in"]).get(parameter["name"]) for each in samples}
    schema = without_null(clean_schema(parameter["schema"]))
    examples = {name: {"value": _typed(value, schema)} for name, value in values.items() if value is not None}
    return {
        "name": parameter["name"],
        "in": parameter["in"],
        "required": parameter["required"],
        "schema": schema,
        **({"examples": examples} if examples else {}),
    }


def _values(sample: Sample, place: str) -> Mapping[str, str]:
    return {"path": sample.path, "query": sample.query, "header": sample.headers}[place]


def _typed(value: str, schema: Mapping[str, Any]) -> str | int:
    return int(value) if schema.get("type") == "integer" else value


def _body(body: Mapping[str, Any], samples: list[Sample]) -> dict[str, Any]:
    """Return *body* with the examples of each media type."""
    with_body = [each for each in samples if each.body is not None]
    content = {}
    for media_type, described in body["content"].items():
        examples = {each.name: {"value": each.body} for each in with_body if _is_of(each, media_type)}
        schema = without_null(clean_schema(described["schema"]))
        content[media_type] = {"schema": schema, **({"examples": examples} if examples else {})}
    return {"required": bool(body.get("required")), "content": content}


def _is_of(sample: Sample, media_type: str) -> bool:
    """Tell whether *sample* has that media type. The routes of JSON ignore the content type."""
    return media_type == JSON or sample.headers.get("content-type", "").partition(";")[0] == media_type


def _headers(route: DeployedRoute, headers: Mapping[str, bool]) -> dict[str, Any]:
    """Return the headers of an answer to a request that succeeded, which was counted."""
    always = [name for name, is_fixed in headers.items() if is_fixed]
    return header_references(["X-Request-Id", *(RATE_HEADERS if route.is_admitted else ()), *always], headers)


def _content(
    route: DeployedRoute, answer: dict[str, Any] | None, example: object, media_types: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the body of an answer in JSON and in other *media_types*, which are text or images."""
    shown = {JSON: example, **find_examples(route)}
    schemas = {**({JSON: answer} if answer else {}), **{each: _schema_of(each) for each in media_types}}
    if not schemas:
        return {}
    return {
        "content": {
            media_type: {
                "schema": schema,
                **({"examples": {"documented": {"value": value}}} if (value := shown.get(media_type)) else {}),
            }
            for media_type, schema in schemas.items()
        }
    }


def _schema_of(media_type: str) -> dict[str, Any]:
    """Return the schema of a text, or of bytes (JSON Schema, 8.4)."""
    is_image = media_type.startswith("image/")
    return {"type": "string", **({"contentMediaType": media_type} if is_image else {})}
