"""The session cookie, in which a browser keeps a refresh token.

A request that has `X-Console: 1` uses the cookie instead of the body. Preflights do not allow that header
(`ALLOWED_HEADERS`), so no page of another origin can send it. Each such request also shows its origin, which must be
that of the API. So neither a form nor a page on another host below the base domain can use the cookie. All other
requests ignore cookies (docs/decisions/0058-sessions.md).
"""

from typing import Final

from tenancy.errors import ForbiddenError
from tenancy.gateway.cookies import HOST_PREFIX, find_cookie, host_of, is_local, set_cookie
from tenancy.gateway.http import Request
from tenancy.rules.durations import SESSION_IDLE_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken

CONSOLE: Final = "x-console"
ORIGIN: Final = "origin"
LOCAL_COOKIE: Final = "refresh_token"
HOST_COOKIE: Final = f"{HOST_PREFIX}{LOCAL_COOKIE}"
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
    host = host_of(request)
    schemes = ("https", "http") if is_local(host) else ("https",)
    own = {_without_default_port(f"{scheme}://{host}") for scheme in schemes}
    if len(sent) != 1 or not host or _without_default_port(sent[0].lower()) not in own:
        raise ForbiddenError(FOREIGN_ORIGIN)


def find_refresh_token(request: Request) -> str | None:
    """Return the refresh token in the cookie of *request*, or None unless it has one cookie."""
    return find_cookie(request, LOCAL_COOKIE)


def put_cookie(request: Request, token: OpaqueToken) -> None:
    """Add the cookie with *token* to the answer."""
    seconds = int(SESSION_IDLE_TIME.total_seconds())
    set_cookie(request, LOCAL_COOKIE, token.text, seconds=seconds, same_site="Strict")


def remove_cookie(request: Request) -> None:
    """Add an empty, expired cookie to the answer."""
    set_cookie(request, LOCAL_COOKIE, "", seconds=0, same_site="Strict")


def _without_default_port(origin: str) -> str:
    for scheme, port in DEFAULT_PORTS:
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin
