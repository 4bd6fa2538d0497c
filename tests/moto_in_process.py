"""Requests of boto3 to moto that are answered in this process, without HTTP.

Nearly every test provisions an organization, which calls AWS several times. With a connection for each call, this would
be a large part of the processor time of a run. boto3 prepares, signs and sends each request as always, and moto's
application answers it as its server does.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
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
    application = DomainDispatcherApplication(create_backend_app)
    sent_by_http = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        body = request.body or b""
        if request.url.startswith(moto_url) and isinstance(body, bytes):
            return _answer(application, request, body)
        return sent_by_http(session, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        yield


def _answer(application: DomainDispatcherApplication, request: AWSPreparedRequest, body: bytes) -> AWSResponse:
    status, headers = 0, HTTPHeaders()

    def start_response(line: str, pairs: list[tuple[str, str]], _: object = None) -> None:
        nonlocal status
        status = int(line.partition(" ")[0])
        for name, value in pairs:
            headers.add_header(name, value)

    answer = b"".join(application(_environment(request, body), start_response))
    return AWSResponse(request.url, status, headers, MockRawResponse(answer))


def _environment(request: AWSPreparedRequest, body: bytes) -> dict[str, Any]:
    """Return *request* as WSGI has it."""
    url = urlsplit(request.url)
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    return {
        **headers,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
        "HTTP_HOST": url.netloc,
        "PATH_INFO": unquote(url.path, "latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": request.url[len(f"{url.scheme}://{url.netloc}") :],
        "REMOTE_ADDR": url.hostname,
        "REQUEST_METHOD": request.method,
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
