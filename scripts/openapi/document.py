"""The whole document: its head, its paths and its components."""

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from scripts.openapi.direct_routes import list_schemas
from scripts.openapi.headers import list_used_headers
from scripts.openapi.operations import Operations
from scripts.openapi.routes import ROOT, list_routes
from scripts.openapi.schemas import list_used
from tenancy.gateway.http import STAGE_PREFIX

READABLE: Final = ROOT / "docs/openapi.json"
SERVED: Final = ROOT / "functions/health/openapi.json"
FILES: Final[dict[Path, bool]] = {READABLE: True, SERVED: False}  # True: indented
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DESCRIPTION: Final = (
    "The API of a multi-tenant platform for attribution, analytics and metering. docs/api.md explains each route. "
    "`POST` and `PATCH` take JSON with any Content-Type, unless the operation names others. Each path also answers "
    "`OPTIONS` (CORS) without a credential. Answers may get new members."
)
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "platformKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "pk_…",
        "description": "A key of the operator. It acts on the organization in the path.",
    },
    "secretKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sk_…",
        "description": "A secret key of an organization, with the permissions that the operation names.",
    },
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of a member (RFC 7519), with the permissions that the operation names.",
    },
    "writeKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "wk_…",
        "description": "A write key of an organization. It may only send events.",
    },
    "writeKeyBasic": {
        "type": "http",
        "scheme": "basic",
        "description": "A write key as user name, without a password. SDKs may send `writeKey` in the body instead.",
    },
}


def make_document() -> dict[str, Any]:
    """Return the document of all routes of the template.

    Raises:
        LookupError: a route is not documented. The message names the route and the missing part.
    """
    operations = Operations()
    operations.schemas.add(list_schemas())
    paths: dict[str, dict[str, Any]] = {}
    for route in list_routes():
        paths.setdefault(route.path, {})[route.method.lower()] = operations.make(route)
    schemas = {**operations.schemas.named, **operations.problems.schemas}
    responses = operations.problems.responses
    return {
        "openapi": "3.1.1",
        "info": {"title": "Tenancy API", "version": _version(), "description": DESCRIPTION},
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": STAGE_PREFIX}],
        "tags": _tags(paths),
        "paths": paths,
        "components": {
            "schemas": list_used([paths, responses], schemas),
            "responses": dict(sorted(responses.items())),
            "headers": list_used_headers([paths, responses]),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def format_document(document: dict[str, Any], *, is_indented: bool) -> str:
    """Return *document* as text."""
    if is_indented:
        return f"{json.dumps(document, ensure_ascii=False, indent=2)}\n"
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _version() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _tags(paths: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    names = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    return [{"name": name} for name in sorted(names)]
