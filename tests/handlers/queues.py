"""The messages of a queue, and an SQS server whose replies a test decides."""

import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import msgspec
import zstandard

from tenancy.rules.events.frames import Frame
from tenancy.rules.events.row import EventRow
from tests.given import REGION
from tests.handlers.requests import sample

type Entry = dict[str, Any]
type Reply = tuple[int, dict[str, Any]]


def lines_in(text: str) -> list[bytes]:
    """Return the lines of JSON in one message."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(Frame(text, 0).bytes).splitlines()


def rows_in(text: str) -> list[EventRow]:
    """Return the rows of one message."""
    return [msgspec.json.decode(line, type=EventRow) for line in lines_in(text)]


def messages_in(queue_url: str) -> list[dict[str, Any]]:
    """Take all messages out of the queue."""
    sqs: Any = boto3.client("sqs", region_name=REGION)
    taken: list[dict[str, Any]] = []
    while messages := sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
        assert not sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed")
        taken += messages
    return taken


def events_in(queue_url: str, table: str = "events") -> list[EventRow]:
    """Take all messages out of the queue and return the rows for *table*."""
    return [
        row
        for message in messages_in(queue_url)
        if message["MessageAttributes"]["table"]["StringValue"] == table
        for row in rows_in(message["Body"])
    ]


def delivery_of(messages: Sequence[dict[str, Any]]) -> Entry:
    """Return the event with which Lambda hands received messages to a function."""
    [like, *_] = sample("load", "frames")["Records"]
    return {
        "Records": [
            {
                **like,
                "messageId": message["MessageId"],
                "body": message["Body"],
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in message["MessageAttributes"].items()
                },
            }
            for message in messages
        ]
    }


@dataclass
class ScriptedQueue:
    """An SQS server. *taken* are the entries that it acknowledged."""

    url: str
    taken: list[Entry] = field(default_factory=list)
    calls: int = 0


@contextmanager
def scripted_queue(behind: str, reply_to: Callable[[int, Sequence[Entry]], Reply]) -> Iterator[ScriptedQueue]:
    """Serve SQS's JSON protocol with the replies of *reply_to*.

    *reply_to* gets the number of the call, from 0, and its entries. Calls of other services are passed on to the AWS
    endpoint *behind*.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.headers["X-Amz-Target"].startswith("AmazonSQS."):
                passed_on = urllib.request.Request(behind, sent, dict(self.headers))
                with urllib.request.urlopen(passed_on) as answer:
                    self.reply(answer.status, answer.read())
                return
            assert self.headers["X-Amz-Target"] == "AmazonSQS.SendMessageBatch"
            entries = json.loads(sent)["Entries"]
            status, document = reply_to(queue.calls, entries)
            queue.calls += 1
            acknowledged = {entry["Id"] for entry in document.get("Successful", [])}
            queue.taken += [entry for entry in entries if entry["Id"] in acknowledged]
            self.reply(status, json.dumps(document).encode())

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        queue = ScriptedQueue(url=f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield queue
        finally:
            server.shutdown()


def queue_reply(entries: Sequence[Entry], *, but: Sequence[Entry] = ()) -> Reply:
    """Reply as SQS does if it takes all *entries* except *but*."""
    failed = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in but]
    taken = [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in entries if entry not in but]
    return 200, {"Successful": taken, "Failed": failed}
