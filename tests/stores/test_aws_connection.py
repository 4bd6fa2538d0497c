"""The connection to an AWS service reads each form of an answer of HTTP/1.1, and keeps no broken connection."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import pytest

from tenancy.stores.aws.connection import Connection, ProtocolError

HEADERS = "Host: sqs.eu-central-1.amazonaws.com\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CALL_BYTES = 64 * 1024

type Serve = Callable[[Sequence[bytes]], tuple[Connection, list[bytes]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Yield a function that makes a server with one answer for each call, on each connection anew."""
    listeners: list[socket.socket] = []
    connections: list[Connection] = []

    def start(answers: Sequence[bytes]) -> tuple[Connection, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        calls: list[bytes] = []
        threading.Thread(target=answer_calls, args=(listener, answers, calls), daemon=True).start()
        connection = Connection(urlsplit(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        connections.append(connection)
        return connection, calls

    yield start
    for connection in connections:
        connection.close()
    for listener in listeners:
        listener.close()


def answer_calls(listener: socket.socket, answers: Sequence[bytes], calls: list[bytes]) -> None:
    """Answer each call on a connection, and close the connection after the last answer."""
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        with accepted:
            for answer in answers:
                call = accepted.recv(CALL_BYTES)
                if not call:
                    break
                calls.append(call)
                accepted.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, (200, b"{}")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, (200, b"{}")),
        (b"HTTP/1.1 400 \r\ncontent-length:2\r\n\r\n{}", (400, b"{}")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nA: b\r\n\r\n",
            (200, b"{}"),
        ),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", (200, b"{}")),
    ],
    ids=["length", "continue", "refusal", "empty", "chunks", "version 1.0"],
)
def test_answer_is_read_to_its_end(serve: Serve, answer: bytes, expected: tuple[int, bytes]) -> None:
    connection, _ = serve([answer])

    assert connection.post(HEADERS, b"{}") == expected


def test_call_has_headers_length_and_body(serve: Serve) -> None:
    connection, calls = serve([OK])

    connection.post(HEADERS, b'{"a":1}')

    head, _, body = calls[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (first, body) == (b"POST / HTTP/1.1", b'{"a":1}')
    assert {b"X-Amz-Target: AmazonSQS.SendMessage", b"content-length: 7"} < set(lines)


def test_calls_share_one_connection(serve: Serve) -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(3)]
    connection, _ = serve(answers)

    assert [connection.post(HEADERS, b"{}") for _ in answers] == [(200, b"%d" % number) for number in range(3)]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        OK + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["short", "negative", "cut headers", "no length", "two answers", "no chunk", "short chunk", "other protocol"],
)
def test_broken_answer_is_an_error(serve: Serve, answer: bytes) -> None:
    connection, _ = serve([answer])

    with pytest.raises(ProtocolError):
        connection.post(HEADERS, b"{}")


def test_rest_of_a_broken_answer_answers_no_later_call(serve: Serve) -> None:
    connection, _ = serve([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + OK, OK])

    with pytest.raises(ProtocolError):
        connection.post(HEADERS, b"{}")

    with pytest.raises(ProtocolError):
        connection.post(HEADERS, b"{}")


def test_connection_that_the_server_ends_is_opened_again(serve: Serve) -> None:
    connection, _ = serve([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"])

    assert [connection.post(HEADERS, b"{}") for _ in range(2)] == [(200, b"{}")] * 2


def test_missing_answer_is_a_closed_connection(serve: Serve) -> None:
    connection, _ = serve([b""])

    with pytest.raises(ConnectionError):
        connection.post(HEADERS, b"{}")
