"""Requests to the stack's own servers, which never go through a proxy."""

import urllib.request
from http.client import HTTPException


def request(url: str, *, method: str = "GET", seconds: float) -> None:
    """Send a request and wait *seconds* for its answer.

    Raises:
        OSError: there was no answer, or an error status.
        HTTPException: the answer is no HTTP.
    """
    wanted = urllib.request.Request(url, method=method)  # noqa: S310 - http, and an address of ours
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(wanted, timeout=seconds).close()


def answers(url: str, *, seconds: float) -> bool:
    """Tell whether a GET of *url* succeeds."""
    try:
        request(url, seconds=seconds)
    except (OSError, HTTPException):
        return False
    return True
