"""The load function with Lambda's poller: it collects batches of the queue as the template says, and inserts them.

It prints a line for each batch: its messages, the seconds of the handler, and the sum of the seconds since the messages
were sent. It ends when its input has ended and the queue is empty.
"""

import http.client
import json
import sys
import threading
import time
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.bench.functions import TEMPLATE, loaded
from scripts.template import read_template

POLL_SECONDS: Final = 0.02


class Poller:
    """Collects the messages of the queue at *aws_url*."""

    def __init__(self, aws_url: str) -> None:
        """Read the batch's size and window in the template."""
        queue = read_template(TEMPLATE)["Resources"]["Load"]["Properties"]["Events"]["Queue"]["Properties"]
        self._size = int(queue["BatchSize"])
        self._window = float(queue["MaximumBatchingWindowInSeconds"])
        self._connection = http.client.HTTPConnection(urlsplit(aws_url).netloc)
        self.ended = threading.Event()

    def collect(self) -> list[dict[str, Any]]:
        """Return the next batch. It is empty only after the end."""
        batch: list[dict[str, Any]] = []
        ends_at = float("inf")
        while len(batch) < self._size:
            taken = self._take(self._size - len(batch))
            batch.extend(taken)
            now = time.monotonic()
            if batch:
                ends_at = min(ends_at, now + self._window)
            if now >= ends_at or (not taken and self.ended.is_set()):
                break
            if not taken:
                time.sleep(min(POLL_SECONDS, max(0.0, ends_at - now)))
        return batch

    def watch_input(self) -> None:
        """Wait for the end of the input."""
        sys.stdin.read()
        self.ended.set()

    def _take(self, most: int) -> list[dict[str, Any]]:
        headers = {"X-Amz-Target": "Local.TakeRecords", "Content-Type": "application/json"}
        self._connection.request("POST", "/", json.dumps({"Most": most}), headers)
        records: list[dict[str, Any]] = json.loads(self._connection.getresponse().read())["Records"]
        return records


def main() -> None:
    """Load until the input has ended and the queue is empty, with AWS at the URL of the argument."""
    [aws_url] = sys.argv[1:]
    output, poller = sys.stdout, Poller(aws_url)
    threading.Thread(target=poller.watch_input, daemon=True).start()
    with loaded("load", aws_url) as app:
        print("ready", file=output, flush=True)
        while batch := poller.collect():
            started = time.perf_counter()
            failed = app.handler({"Records": batch}, None)["batchItemFailures"]
            seconds = time.perf_counter() - started
            if failed:
                sys.exit(f"load gave back {len(failed)} of {len(batch)} messages")
            ages = sum(time.time() - int(each["attributes"]["SentTimestamp"]) / 1_000 for each in batch)
            report = {"messages": len(batch), "seconds": seconds, "ages": ages}
            print(json.dumps(report), file=output, flush=True)


if __name__ == "__main__":
    main()
