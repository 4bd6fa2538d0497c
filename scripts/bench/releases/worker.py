"""A function of any release in a process of its own.

It imports no module of this repository but those of the release. Its argument is the path of the function's app.py. A
request is a line of JSON on its input. The answer is a line on its output, with the processor time of the handler in
seconds, over all threads. The first line has that of the import.
"""

import json
import os
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any


def main() -> None:
    """Import the function, and answer its requests one after the other."""
    output = sys.stdout.buffer
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - of the function's log
    started = time.process_time()
    spec = spec_from_file_location("app", sys.argv[1])
    if spec is None or spec.loader is None:
        sys.exit(f"{sys.argv[1]} is no module")
    app = module_from_spec(spec)
    spec.loader.exec_module(app)

    def reply(started: float, answer: Any = None) -> None:  # noqa: ANN401 - as the handler returns it
        seconds = time.process_time() - started
        output.write(json.dumps({"answer": answer, "seconds": seconds}).encode() + b"\n")
        output.flush()

    reply(started)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        started = time.process_time()
        answer = app.handler(request, None)
        reply(started, answer)


if __name__ == "__main__":
    main()
