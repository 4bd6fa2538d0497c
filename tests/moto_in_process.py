"""Requests of boto3 to moto that are answered in this process, without HTTP.

Nearly every test provisions an organization, which calls AWS several times. With a connection for each call, this would
be a large part of the processor time of a run. boto3 prepares, signs and sends each request as always, and moto's
application answers it as its server does.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from moto.core.botocore_stubber import MockRawResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app


@contextmanager
def answered_in_process(moto_url: str) -> Iterator[None]:
    """Answer boto3's requests to the server at *moto_url* here. All other requests are sent."""
    sent_by_http = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        body = request.body or b""
        if request.url.startswith(moto_url) and isinstance(body, bytes):
            status, pairs, content = answer(request.method, request.url, dict(request.headers.items()), body)
            headers = HTTPHeaders()
            for name, value in pairs:
                headers.add_header(name, value)
            return AWSResponse(request.url, status, headers, MockRawResponse(content))
        return sent_by_http(session, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        yield


def answer(
    method: str, url: str, headers: Mapping[str, str | bytes], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of moto's answer to a request."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(line: str, pairs: list[tuple[str, str]], _: object = None) -> None:
        started.append((line, pairs))

    content = b"".join(_application()(_environment(method, url, headers, body), start_response))
    [(line, pairs)] = started
    return int(line.partition(" ")[0]), pairs, content


@cache
def _application() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


def _environment(method: str, address: str, given: Mapping[str, str | bytes], body: bytes) -> dict[str, Any]:
    """Return a request as WSGI has it."""
    url = urlsplit(address)
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value.decode() if isinstance(value, bytes) else value
        for name, value in given.items()
    }
    return {
        **headers,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
        "HTTP_HOST": url.netloc,
        "PATH_INFO": unquote(url.path, "latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": address[len(f"{url.scheme}://{url.netloc}") :],
        "REMOTE_ADDR": url.hostname,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": io.StringIO(),
        "wsgi.input": io.BytesIO(body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": url.scheme,
        "wsgi.version": (1, 0),
    }
