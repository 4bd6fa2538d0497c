"""The cookies of the API's own host: each is HttpOnly, for one host, and Secure unless that is http on localhost."""

import re
from typing import Final, Literal

from tenancy.gateway.http import Request

COOKIE: Final = "cookie"
HOST_HEADER: Final = "host"
# Browsers take such a cookie only from its own host over HTTPS, with Path=/ and without Domain (RFC 6265bis, 4.1.3.2).
HOST_PREFIX: Final = "__Host-"
LOCAL_HOST: Final = re.compile(r"(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")


def find_cookie(request: Request, name: str) -> str | None:
    """Return the value of the cookie *name* of *request*, or None unless there is exactly one."""
    full_name = _full_name(request, name)
    pairs = (pair.partition("=") for value in request.header_values.get(COOKIE, ()) for pair in value.split(";"))
    found = [value.strip() for each, _, value in pairs if each.strip() == full_name]
    return found[0] if len(found) == 1 else None


def set_cookie(request: Request, name: str, value: str, *, seconds: int, same_site: Literal["Strict", "Lax"]) -> None:
    """Add the cookie *name* to the answer. A browser deletes one that lives for 0 *seconds*."""
    secure = "" if is_local(host_of(request)) else "; Secure"
    attributes = f"Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
    request.answer_headers["Set-Cookie"] = f"{_full_name(request, name)}={value}; {attributes}"


def host_of(request: Request) -> str:
    """Return the host of *request* in lower case, with its port. It is empty unless there is exactly one."""
    hosts = request.header_values.get(HOST_HEADER, ())
    return hosts[0].lower() if len(hosts) == 1 else ""


def is_local(host: str) -> bool:
    """Tell whether *host* is one of the local machine, where a cookie needs no HTTPS."""
    return LOCAL_HOST.fullmatch(host) is not None


def _full_name(request: Request, name: str) -> str:
    """Return the name as the browser knows it.

    Browsers reject cookies of HTTPS on http://localhost. A client that names such a host deceives only itself.
    """
    return name if is_local(host_of(request)) else f"{HOST_PREFIX}{name}"
