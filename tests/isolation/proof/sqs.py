"""SQS in this process, because thousands of messages take moto minutes; what is not for SQS is passed on to moto."""

import http.client
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

type Message = dict[str, Any]
TARGET = "X-Amz-Target"
CONTENT_TYPE = "Content-Type"


class PostOffice:
    """Takes SendMessage and SendMessageBatch (SQS's JSON protocol); *url* is an endpoint of AWS."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._messages: dict[str, list[Message]] = defaultdict(list)
        self._numbers = 0

    def take_all(self, queue_url: str) -> list[Message]:
        """Take all messages out of a queue, as Lambda hands them to a function."""
        return self._messages.pop(queue_url, [])

    @property
    def queues(self) -> tuple[str, ...]:
        """The URLs of the queues in which something waits."""
        return tuple(self._messages)

    def put(self, queue_url: str, entry: Message) -> str:
        self._numbers += 1
        self._messages[queue_url].append(
            {
                "messageId": str(self._numbers),
                "body": entry["MessageBody"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in entry.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
            }
        )
        return str(self._numbers)


class _Counter(BaseHTTPRequestHandler):
    """Serves one connection; `office` and `behind` are set on a class of its own for each office."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    office: ClassVar[PostOffice]
    behind: ClassVar[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers[TARGET]
        self.close_connection = not target.startswith("AmazonSQS.Send")  # as moto does
        status, answer = self._pass_on(body) if self.close_connection else self._take(body)
        lines = [f"HTTP/1.1 {status} ", f"{CONTENT_TYPE}: application/json", f"Content-Length: {len(answer)}"]
        head = "\r\n".join([*lines, *(["Connection: close"] if self.close_connection else []), "", ""])
        self.wfile.write(head.encode() + answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _take(self, body: bytes) -> tuple[int, bytes]:
        document = json.loads(body)
        taken = [
            {"Id": entry.get("Id", ""), "MessageId": self.office.put(document["QueueUrl"], entry)}
            for entry in document.get("Entries", [document])
        ]
        return 200, json.dumps({"Successful": taken} if "Entries" in document else taken[0]).encode()

    def _pass_on(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.behind).netloc)
        headers = {name: self.headers[name] for name in (TARGET, CONTENT_TYPE, "Authorization")}
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer


@contextmanager
def post_office(moto_url: str) -> Iterator[PostOffice]:
    """Open a post office before moto."""
    counter = type("Counter", (_Counter,), {"behind": moto_url})
    with ThreadingHTTPServer(("127.0.0.1", 0), counter) as server:
        server.daemon_threads = True
        counter.office = office = PostOffice(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield office
        finally:
            server.shutdown()
