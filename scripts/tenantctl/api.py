"""Calls of the HTTP API, with time-outs and retries."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, override
from urllib.parse import quote, urlencode, urlsplit

from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.hosts import is_loopback

LARGEST_ANSWER_BYTES: Final = 16 << 20  # the API's largest has 5 MB
CHUNK_BYTES: Final = 1 << 16
RETRY_SECONDS: Final = 90  # a blocked minute and some more
MOST_RETRIES: Final = 6
PAGE_ROWS: Final = 100
RETRIED: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

type Document = dict[str, Any]
type Query = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request of the API. *is_repeatable*: a second one changes nothing and has the same answer."""

    method: str
    path: str
    body: object = None
    idempotency_key: str | None = None
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key or an access token. Its *description* has its kind and its source."""

    text: str = field(repr=False)
    description: str


class Api:
    """The API at *url* for one credential. *on_wait* is told why and how many seconds a call waits."""

    def __init__(
        self, url: str, credential: Credential | None, *, timeout_seconds: float, on_wait: Callable[[str, float], None]
    ) -> None:
        """Take the URL up to the version, and the credential, which a public route does not need."""
        self.url = url
        self._credential = credential
        self._timeout_seconds = timeout_seconds
        self._on_wait = on_wait
        # A proxy cannot reach the loopback of this machine, and would read the key.
        proxies = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(url).hostname or "") else []
        self._opener = urllib.request.build_opener(_RefuseRedirects, *proxies)

    def get(self, *parts: str, query: Query | None = None) -> Document:
        """Return the document at the path of *parts*. Members of *query* without a value are left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        search = f"?{urlencode(given)}" if given else ""
        return self._call(ApiRequest(method="GET", path=f"{_path(parts)}{search}"))

    def post(self, *parts: str, body: object = None) -> Document:
        """Do something that is not repeated if its answer is lost."""
        return self._call(ApiRequest(method="POST", path=_path(parts), body=body, is_repeatable=False))

    def create(self, *parts: str, body: object, idempotency_key: str | None) -> Document:
        """Create something once, however often the request has to be sent."""
        key = idempotency_key or f"tenantctl-{secrets.token_hex(16)}"
        return self._call(ApiRequest(method="POST", path=_path(parts), body=body, idempotency_key=key))

    def patch(self, *parts: str, body: object) -> Document:
        """Change something to absolute values."""
        return self._call(ApiRequest(method="PATCH", path=_path(parts), body=body))

    def delete(self, *parts: str, body: object = None) -> Document:
        """Delete or revoke something."""
        return self._call(ApiRequest(method="DELETE", path=_path(parts), body=body))

    def collect(
        self, *parts: str, query: Query | None = None, limit: int | None, rows: str = "data", page_rows: int = PAGE_ROWS
    ) -> Document:
        """Return one document with the rows of as many pages as *limit* rows need, or of all without a *limit*.

        Its pagination is that of the last page.
        """
        document: Document = {}
        cursor: str | None = None
        while True:
            left = None if limit is None else limit - len(document.get(rows, ()))
            size = page_rows if left is None else min(page_rows, left)
            page = self.get(*parts, query={**(query or {}), "limit": size, "cursor": cursor})
            document = {**page, rows: [*document.get(rows, ()), *page[rows]]}
            cursor = page["pagination"]["next_cursor"]
            if not page["pagination"]["has_more"] or (limit is not None and len(document[rows]) >= limit):
                return document

    def _call(self, request: ApiRequest) -> Document:
        waited, retries = 0.0, 0
        while True:
            try:
                return self._send(request)
            except CommandError as error:
                seconds = _seconds_to_retry(error, request, retries)
                if seconds is None or waited + seconds > RETRY_SECONDS or retries >= MOST_RETRIES:
                    raise _with_idempotency_key(error, request) from error
                self._on_wait(str(error), seconds)
                waited, retries = waited + seconds, retries + 1

    def _send(self, request: ApiRequest) -> Document:
        try:
            with self._opener.open(self._prepared(request), timeout=self._timeout_seconds) as answer:
                content = self._read(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise self._explained(_refusal(error)) from error
        except (OSError, HTTPException) as error:
            raise self._no_answer(error) from error
        return _document(content) if content else {}

    def _read(self, answer: HTTPResponse) -> bytes:
        """Return the body. The time limit of the socket counts from each byte anew, and this one does not.

        Raises:
            TimeoutError: the body takes too long.
        """
        end = time.monotonic() + self._timeout_seconds
        content = b""
        while part := answer.read1(CHUNK_BYTES):
            content += part
            if len(content) > LARGEST_ANSWER_BYTES:
                raise CommandError.of(ExitCode.UNAVAILABLE, "unexpected_answer", "The answer is too large.")
            if time.monotonic() > end:
                raise TimeoutError
        return content

    def _prepared(self, request: ApiRequest) -> urllib.request.Request:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "tenantctl"}
        if self._credential is not None:
            headers["Authorization"] = f"Bearer {self._credential.text}"
        if request.idempotency_key is not None:
            headers["Idempotency-Key"] = request.idempotency_key
        return urllib.request.Request(  # noqa: S310 - profiles check the scheme
            f"{self.url}{request.path}",
            data=None if request.body is None else json.dumps(request.body).encode(),
            headers=headers,
            method=request.method,
        )

    def _explained(self, error: CommandError) -> CommandError:
        """Name the credential in place of the headers of HTTP, if it was not accepted."""
        if error.problem.get("status") == HTTPStatus.UNAUTHORIZED and self._credential is not None:
            error.args = (f"The API did not accept the {self._credential.description}.",)
            error.hint = f"It may be of another stack than {self.url}, revoked or expired, or of another kind."
        return error

    def _no_answer(self, error: OSError | HTTPException) -> CommandError:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, TimeoutError):
            return CommandError.of(
                ExitCode.UNAVAILABLE, "no_answer", f"No answer within {self._timeout_seconds:g} s from {self.url}."
            )
        if isinstance(cause, (ConnectionResetError, BrokenPipeError, HTTPException)):
            return CommandError.of(ExitCode.UNAVAILABLE, "no_answer", f"{self.url} ended the connection: {cause!r}.")
        hint = "Is the local stack up? `make up` starts it." if isinstance(cause, ConnectionRefusedError) else ""
        return CommandError.of(
            ExitCode.UNAVAILABLE, "unreachable", f"{self.url} cannot be reached: {cause}.", hint=hint
        )


class _RefuseRedirects(urllib.request.HTTPRedirectHandler):
    """The API never redirects, and the key must not follow to another host."""

    @override
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _path(parts: tuple[str, ...]) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _document(content: bytes) -> Document:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CommandError.of(ExitCode.UNAVAILABLE, "unexpected_answer", "The answer is no JSON object.")
    return document


def _refusal(error: urllib.error.HTTPError) -> CommandError:
    try:
        problem = _document(error.read(LARGEST_ANSWER_BYTES))
    except (CommandError, OSError, HTTPException):
        problem = {}
    problem = {
        "type": "about:blank",
        "status": error.code,
        "code": "unexpected_answer",
        "detail": problem.get("message", f"The answer has status {error.code} and is no problem document."),
        **problem,
    }
    refusal = CommandError.refused(error.code, problem)
    refusal.retry_after = error.headers.get("Retry-After", "")
    return refusal


def _seconds_to_retry(error: CommandError, request: ApiRequest, retries: int) -> float | None:
    """Return the seconds after which *request* can be sent again, or None if it cannot."""
    backoff = float(2**retries)
    if error.code == "no_answer":
        return backoff if request.is_repeatable else None
    if error.problem.get("status") in RETRIED or error.code == "request_in_progress":
        named = error.retry_after
        return float(named) if named.isascii() and named.isdecimal() else backoff
    return None


def _with_idempotency_key(error: CommandError, request: ApiRequest) -> CommandError:
    """Add how to repeat *request*, if it may have been done."""
    if error.exit_code is not ExitCode.UNAVAILABLE or error.code == "unreachable" or request.method == "GET":
        return error
    if request.idempotency_key is not None:
        error.hint = f"It may have been done. Repeat it with --idempotency-key {request.idempotency_key}"
    elif not request.is_repeatable:
        error.hint = "It may have been done, and was not repeated."
    return error
