"""A stand-in for AWS in a process of its own: it has several secrets, and a queue of events that keeps its messages.

It reads its settings as JSON from the first line of its input, prints its port, and ends when its input ends. A call of
`Local.TakeRecords` removes messages and returns them in the form in which Lambda calls a function. A call of
`Local.ProcessorSeconds` returns the processor time that this process has taken.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.bench import ROOT
from scripts.bench.json_server import serve_calls

EVENTS_QUEUE: Final = "/events"  # how the URL of that queue ends


@contextmanager
def local_aws(secrets: Mapping[str, str], *, send_seconds: float = 0.0) -> Iterator[str]:
    """Yield the URL of a stand-in with *secrets* by name, which serves while the block runs.

    It answers *send_seconds* after it has stored messages.
    """
    command = [sys.executable, "-m", "scripts.bench.local_aws"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin  # noqa: S101 - for the type checkers: it is a pipe
        assert server.stdout  # noqa: S101 - the same
        server.stdin.write(json.dumps({"secrets": dict(secrets), "send_seconds": send_seconds}) + "\n")
        server.stdin.flush()
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"


def processor_seconds(aws_url: str) -> float:
    """Return the processor seconds that the stand-in at *aws_url* has taken."""
    with closing(http.client.HTTPConnection(urlsplit(aws_url).netloc)) as connection:
        connection.request("POST", "/", "{}", {"X-Amz-Target": "Local.ProcessorSeconds"})
        return float(json.loads(connection.getresponse().read())["Seconds"])


class LocalAws:
    """The secrets, and the messages of the queue of events in the order of their arrival."""

    def __init__(self, secrets: Mapping[str, str], send_seconds: float) -> None:
        """Start with an empty queue."""
        self._secrets = secrets
        self._send_seconds = send_seconds
        self._messages: deque[dict[str, Any]] = deque()
        self._numbers = count()
        self._taking = threading.Lock()

    def answer(self, target: str, document: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call of *target*, which succeeds."""
        match target:
            case "AmazonSQS.SendMessageBatch":
                if document["QueueUrl"].endswith(EVENTS_QUEUE):
                    self._messages.extend(map(self._record, document["Entries"]))
                    time.sleep(self._send_seconds)
                return {"Successful": [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in document["Entries"]]}
            case "Local.ProcessorSeconds":
                return {"Seconds": time.process_time()}
            case "Local.TakeRecords":
                return {"Records": self._take(document["Most"])}
            case "secretsmanager.GetSecretValue":
                name = document["SecretId"].rpartition("/")[2]
                return {"SecretString": self._secrets[name], "VersionId": "1"}
        return {}

    def _record(self, entry: dict[str, Any]) -> dict[str, Any]:
        attributes = {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in entry["MessageAttributes"].items()
        }
        return {
            "messageId": str(next(self._numbers)),
            "body": entry["MessageBody"],
            "attributes": {"SentTimestamp": str(int(time.time() * 1_000))},
            "messageAttributes": attributes,
        }

    def _take(self, most: int) -> list[dict[str, Any]]:
        """Remove at most so many messages. Only one thread at a time removes, so that the length may only grow."""
        with self._taking:
            return [self._messages.popleft() for _ in range(min(most, len(self._messages)))]


def main() -> None:
    """Serve until the input ends."""
    serve_calls(LocalAws(**json.loads(sys.stdin.readline())).answer)


if __name__ == "__main__":
    main()
