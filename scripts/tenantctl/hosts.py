"""The hosts to which a key may be sent."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from scripts.tenantctl.errors import CommandError


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """Tell whether *host* is an address of this machine or of a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return is_loopback(host)


def checked_url(text: str, where: str, *, is_plain: Callable[[str], bool] = is_loopback) -> str:
    """Return the URL of an API without a final slash. *is_plain* tells which hosts need no TLS.

    Raises:
        CommandError: it would send the key without TLS to another machine, or is no URL of an API.
    """
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
    except ValueError:
        host = ""
    if not host or url.username or url.query or url.fragment or url.scheme not in {"http", "https"}:
        raise CommandError.usage(f"{where}: `api_url` is no URL such as https://api.example.com/v1.")
    if url.scheme == "http" and not is_plain(host):
        raise CommandError.usage(f"{where}: `api_url` must begin with https://. Keys go to {host} encrypted only.")
    return text.rstrip("/")
