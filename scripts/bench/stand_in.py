"""A stand-in for AWS in a process of its own: it accepts every message and has one secret.

With it a handler is measured without the cost of an emulator. It prints its port, and ends when its stdin ends.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scripts.bench import ROOT
from scripts.bench.json_server import serve_calls


@contextmanager
def stand_in(secret: str = "") -> Iterator[str]:
    """Yield the URL of a stand-in, which serves while the block runs and returns *secret*."""
    command = [sys.executable, "-m", "scripts.bench.stand_in", secret]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline() if server.stdout else ""
        yield f"http://127.0.0.1:{int(port)}"


def answer_to(target: str, document: dict[str, Any], secret: str) -> dict[str, Any]:
    """Return the service's answer to *target* when it succeeds."""
    if target == "AmazonSQS.SendMessageBatch":
        return {"Successful": [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in document["Entries"]]}
    return {"SecretString": secret}


def main() -> None:
    """Serve until stdin ends."""
    serve_calls(lambda target, document: answer_to(target, document, sys.argv[1]))


if __name__ == "__main__":
    main()
