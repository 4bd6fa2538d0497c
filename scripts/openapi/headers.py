"""The headers of answers that the document describes.

The headers of CORS are for browsers, and those of the body follow from it. The document does not list them.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

UNLISTED: Final = frozenset(
    {"access-control-allow-origin", "access-control-expose-headers", "content-length", "content-type"}
)
PREFIX: Final = "#/components/headers/"
REFERENCE: Final = re.compile(f'"{PREFIX}([^"]+)"')
OPTIONAL: Final = ".optional"  # ends the name of a component for a header that some answers lack
TEXT: Final = {"type": "string"}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-Id": {"description": "Quote it when you report a problem.", "schema": TEXT},
    "X-Read-After": {"description": "Send it with a read that has to show this write.", "schema": TEXT},
    "Retry-After": {"description": "Seconds until a retry.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit": {"description": '`"rpm";r=<left>;t=<seconds>`', "schema": TEXT},
    "RateLimit-Policy": {"description": '`"rpm";q=<limit>;w=60`', "schema": TEXT},
    "ETag": {"description": "The version of the answer.", "schema": TEXT},
    "Cache-Control": {"description": "How long a cache may keep the answer.", "schema": TEXT},
    "Vary": {"description": "The headers of a request that the answer depends on.", "schema": TEXT},
    "Cross-Origin-Resource-Policy": {"description": "The sites whose pages may load the file.", "schema": TEXT},
    "Set-Cookie": {
        "description": "The refresh token for a request with X-Console, or the secret of a log-in by single sign-on.",
        "schema": TEXT,
    },
    "Location": {"description": "Where the browser goes.", "schema": {"type": "string", "format": "uri"}},
    "Referrer-Policy": {"description": "Keeps the address from the next page.", "schema": TEXT},
    "Content-Security-Policy": {"description": "What the page or the image may load.", "schema": TEXT},
    "Cross-Origin-Opener-Policy": {"description": "Separates the page from pages of other origins.", "schema": TEXT},
    "Strict-Transport-Security": {"description": "Seconds for which browsers use HTTPS alone.", "schema": TEXT},
    "X-Content-Type-Options": {"description": "`nosniff`", "schema": TEXT},
    "Content-Encoding": {"description": "`gzip`, if the browser takes it.", "schema": TEXT},
    "Content-Disposition": {"description": "The name of the file. Only CSV has it.", "schema": TEXT},
    "X-Next-Cursor": {"description": "The cursor of the next page of CSV, if there is one.", "schema": TEXT},
    "WWW-Authenticate": {"description": "The scheme of the credential, from API Gateway.", "schema": TEXT},
}


def header_references(required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """Return the headers of an answer: those that it always has, and those that it may have.

    Raises:
        LookupError: `HEADERS` does not describe one of them.
    """
    names = {**dict.fromkeys(optional, OPTIONAL), **dict.fromkeys(required, "")}
    unknown = sorted(set(names) - set(HEADERS))
    if unknown:
        raise LookupError(f"scripts/openapi/headers.py does not describe {', '.join(unknown)}.")
    return {name: {"$ref": f"{PREFIX}{name}{names[name]}"} for name in HEADERS if name in names}


def list_used_headers(document: object) -> dict[str, Any]:
    """Return the components of the headers to which *document* refers."""
    used = set(REFERENCE.findall(json.dumps(document)))
    return {name: _component(name) for name in sorted(used)}


def _component(name: str) -> dict[str, Any]:
    return {**HEADERS[name.removesuffix(OPTIONAL)], "required": not name.endswith(OPTIONAL)}
