"""The session cookie, in which a browser keeps a refresh token.

A request that has `X-Console: 1` uses the cookie instead of the body. Preflights do not allow that header
(`ALLOWED_HEADERS`), so no page of another origin can send it. Each such request also shows its origin, which must be
that of the API. So neither a form nor a page on another host below the base domain can use the cookie. All other
requests ignore cookies (docs/decisions/0058-sessions.md).
"""

import re
from typing import Final

from tenancy.errors import ForbiddenError
from tenancy.gateway.http import Request
from tenancy.rules.durations import SESSION_IDLE_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken

CONSOLE: Final = "x-console"
COOKIE: Final = "cookie"
HOST_HEADER: Final = "host"
ORIGIN: Final = "origin"
LOCAL_COOKIE: Final = "refresh_token"
# Browsers take such a cookie only from its own host over HTTPS, with Path=/ and without Domain (RFC 6265bis, 4.1.3.2).
HOST_COOKIE: Final = f"__Host-{LOCAL_COOKIE}"
LOCAL_HOST: Final = re.compile(r"(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
DEFAULT_PORTS: Final = (("https://", ":443"), ("http://", ":80"))
FOREIGN_ORIGIN: Final = "A request with X-Console needs the header Origin with the API's own origin."


def is_of_console(request: Request) -> bool:
    """Return whether *request* uses the cookie."""
    return request.header_values.get(CONSOLE) == ("1",)


def require_own_origin(request: Request, *, may_be_absent: bool = False) -> None:
    """Refuse a request that a page of another origin sent.

    *may_be_absent* is for requests that use no cookie yet.

    Raises:
        ForbiddenError: the header Origin is absent, repeated, or not that of the API.
    """
    sent = request.header_values.get(ORIGIN, ())
    if may_be_absent and not sent:
        return
    host = _host_of(request)
    schemes = ("https", "http") if _is_local(host) else ("https",)
    own = {_without_default_port(f"{scheme}://{host}") for scheme in schemes}
    if len(sent) != 1 or not host or _without_default_port(sent[0].lower()) not in own:
        raise ForbiddenError(FOREIGN_ORIGIN)


def find_cookie(request: Request) -> str | None:
    """Return the refresh token in the cookie of *request*, or None unless it has one cookie."""
    name = _cookie_name(request)
    pairs = (pair.partition("=") for value in request.header_values.get(COOKIE, ()) for pair in value.split(";"))
    found = [value.strip() for each, _, value in pairs if each.strip() == name]
    return found[0] if len(found) == 1 else None


def put_cookie(request: Request, token: OpaqueToken) -> None:
    """Add the cookie with *token* to the answer."""
    _set_cookie(request, token.text, seconds=int(SESSION_IDLE_TIME.total_seconds()))


def remove_cookie(request: Request) -> None:
    """Add an empty, expired cookie to the answer."""
    _set_cookie(request, "", seconds=0)


def _set_cookie(request: Request, value: str, *, seconds: int) -> None:
    secure = "" if _is_local(_host_of(request)) else "; Secure"
    attributes = f"Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    request.answer_headers["Set-Cookie"] = f"{_cookie_name(request)}={value}; {attributes}"


def _cookie_name(request: Request) -> str:
    """Return the name of the cookie.

    Browsers reject cookies of HTTPS on http://localhost. A client that names such a host deceives only itself.
    """
    return LOCAL_COOKIE if _is_local(_host_of(request)) else HOST_COOKIE


def _host_of(request: Request) -> str:
    hosts = request.header_values.get(HOST_HEADER, ())
    return hosts[0].lower() if len(hosts) == 1 else ""


def _is_local(host: str) -> bool:
    return LOCAL_HOST.fullmatch(host) is not None


def _without_default_port(origin: str) -> str:
    for scheme, port in DEFAULT_PORTS:
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin
