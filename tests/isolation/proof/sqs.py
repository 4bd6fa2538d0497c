"""SQS in this process, because moto takes minutes for thousands of messages.

Requests for other services are forwarded to moto and `fetch`.
"""

import http.client
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.given import REGION

ACCOUNT = "123456789012"  # moto's
TARGET = "X-Amz-Target"
CONTENT_TYPE = "Content-Type"
FORWARDED_HEADERS = (TARGET, CONTENT_TYPE, "Authorization", "If-None-Match")

type Message = dict[str, Any]


class SqsServer:
    """The messages of all queues.

    *url* is an AWS endpoint that takes SendMessage and SendMessageBatch as JSON.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._messages: dict[str, list[Message]] = defaultdict(list)
        self._sent = 0

    @property
    def queue_urls(self) -> tuple[str, ...]:
        """The queues that have messages."""
        return tuple(self._messages)

    def take_all(self, queue_url: str) -> list[Message]:
        """Take all messages out of a queue, in the form of Lambda's SQS events."""
        return self._messages.pop(queue_url, [])

    def add(self, queue_url: str, entry: Message) -> str:
        """Add the message of a SendMessage request, and return its id."""
        self._sent += 1
        self._messages[queue_url].append(
            {
                "messageId": str(self._sent),
                "body": entry["MessageBody"],
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in entry.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_url.rpartition('/')[2]}",
            }
        )
        return str(self._sent)


@contextmanager
def sqs_server(moto_url: str) -> Iterator[SqsServer]:
    """Serve SQS, and forward the requests for other services to *moto_url*."""
    handler = type("Handler", (_AwsHandler,), {"moto_url": moto_url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        handler.sqs = sqs = SqsServer(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield sqs
        finally:
            server.shutdown()


class _AwsHandler(BaseHTTPRequestHandler):
    """Handles one connection.

    Each server has a subclass with its own `sqs` and `moto_url`.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sqs: ClassVar[SqsServer]
    moto_url: ClassVar[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = not self.headers.get(TARGET, "").startswith("AmazonSQS.Send")  # as moto does
        status, answer = self._forward(body) if self.close_connection else self._send(body)
        lines = [f"HTTP/1.1 {status} ", f"{CONTENT_TYPE}: application/json", f"Content-Length: {len(answer)}"]
        head = "\r\n".join([*lines, *(["Connection: close"] if self.close_connection else []), "", ""])
        self.wfile.write(head.encode() + answer)

    do_PUT = do_POST  # noqa: N815 - the library's name; entries of the register

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _send(self, body: bytes) -> tuple[int, bytes]:
        document = json.loads(body)
        results = [
            {"Id": entry.get("Id", ""), "MessageId": self.sqs.add(document["QueueUrl"], entry)}
            for entry in document.get("Entries", [document])
        ]
        return 200, json.dumps({"Successful": results} if "Entries" in document else results[0]).encode()

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.moto_url).netloc)
        headers = {name: self.headers[name] for name in FORWARDED_HEADERS if name in self.headers}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer
