"""The files of the console as browsers get them: named by their content, with a strict policy."""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

import pybase64

from tenancy.gateway.http import NO_STORE, Request, Response, has_version
from tenancy.rules.durations import HASHED_FILE_MAX_AGE_SECONDS, HTTPS_ONLY_SECONDS

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    # Without includeSubDomains: names below a custom domain belong to the customer. Browsers ignore it over HTTP.
    "Strict-Transport-Security": f"max-age={HTTPS_ONLY_SECONDS}",
    "X-Content-Type-Options": "nosniff",
}
ACCEPT_ENCODING: Final = "accept-encoding"
GZIP_CODING: Final = "gzip"
COMPRESSED_SUFFIX: Final = "-gzip"
NO_WEIGHT: Final = re.compile(r"0(\.0{0,3})?")


@dataclass(frozen=True)
class StaticFile:
    """A file as a browser gets it. *is_hashed*: its name changes with its content, so it never changes."""

    content: bytes
    media_type: str
    is_hashed: bool

    @cached_property
    def version(self) -> str:
        """The digest of the content."""
        return digest_of(self.content)

    @cached_property
    def compressed(self) -> str:
        """The content in gzip, as Base64."""
        return pybase64.b64encode(gzip.compress(self.content, mtime=0)).decode()

    def answer(self, request: Request) -> Response:
        """Return this file, or 304 if the browser has it.

        The compressed file has an entity tag of its own (RFC 9110, 8.8.3.3).
        """
        is_compressed = _takes_gzip(request)
        version = f"{self.version}{COMPRESSED_SUFFIX}" if is_compressed else self.version
        age = f"public, max-age={HASHED_FILE_MAX_AGE_SECONDS}, immutable" if self.is_hashed else "no-cache"
        headers = {**SECURITY_HEADERS, "Cache-Control": age, "ETag": f'"{version}"', "Vary": "Accept-Encoding"}
        if has_version(request, version):
            return {"statusCode": 304, "headers": headers, "body": "", "isBase64Encoded": False}
        return self._respond(200, headers, is_compressed=is_compressed)

    def answer_missing(self, request: Request) -> Response:
        """Return this file with the status 404. No cache keeps it."""
        headers = {**SECURITY_HEADERS, "Cache-Control": NO_STORE, "Vary": "Accept-Encoding"}
        return self._respond(404, headers, is_compressed=_takes_gzip(request))

    def _respond(self, status: int, headers: dict[str, str], *, is_compressed: bool) -> Response:
        headers["Content-Type"] = self.media_type
        if not is_compressed:
            return {"statusCode": status, "headers": headers, "body": self.content.decode(), "isBase64Encoded": False}
        headers["Content-Encoding"] = GZIP_CODING
        return {"statusCode": status, "headers": headers, "body": self.compressed, "isBase64Encoded": True}


def digest_of(content: bytes) -> str:
    """Return the digest that names a version of *content*."""
    return sha256(content).hexdigest()


def _takes_gzip(request: Request) -> bool:
    """Tell whether `Accept-Encoding` names gzip, with a weight above 0 (RFC 9110, 12.5.3)."""
    sent = ",".join(request.header_values.get(ACCEPT_ENCODING, ())).lower().replace(" ", "")
    weights = {name: weight for name, _, weight in (each.partition(";q=") for each in sent.split(","))}
    return GZIP_CODING in weights and not NO_WEIGHT.fullmatch(weights[GZIP_CODING])
