"""One execution environment of a function: a process that answers one request after the other.

A request is a line of JSON on its input. The answer is a line on its output, with the seconds of the handler.
"""

import sys
import time
from typing import Final

import msgspec

from scripts.bench.functions import loaded

PATIENCE_MILLISECONDS: Final = "5000"  # a pause of the machine is measured, not taken for Redis being away


def main() -> None:
    """Answer the requests for the function of the first argument, with AWS at the URL of the second one."""
    name, aws_url = sys.argv[1:]
    output = sys.stdout.buffer
    with loaded(name, aws_url, {"REDIS_PATIENCE_MS": PATIENCE_MILLISECONDS}) as app:
        output.write(b"ready\n")
        output.flush()
        for line in sys.stdin.buffer:
            request = msgspec.json.decode(line)
            started = time.perf_counter()
            answer = app.handler(request, None)
            seconds = time.perf_counter() - started
            kept = {"status": answer["statusCode"], "body": answer["body"], "seconds": seconds}
            output.write(msgspec.json.encode(kept) + b"\n")
            output.flush()


if __name__ == "__main__":
    main()
