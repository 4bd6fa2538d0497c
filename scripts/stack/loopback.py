"""Requests to the stack's own servers."""

import urllib.request
from http.client import HTTPException


def request(url: str, *, method: str = "GET", seconds: float) -> None:
    """Send a request and wait *seconds* for its answer.

    Raises:
        OSError: there was none, or one that tells of an error.
        HTTPException: what came is no HTTP.
    """
    wanted = urllib.request.Request(url, method=method)  # noqa: S310 - http, and an address of ours
    urllib.request.urlopen(wanted, timeout=seconds).close()  # noqa: S310 - the same


def answers(url: str, *, seconds: float) -> bool:
    """Whether a GET of *url* succeeds."""
    try:
        request(url, seconds=seconds)
    except (OSError, HTTPException):
        return False
    return True
