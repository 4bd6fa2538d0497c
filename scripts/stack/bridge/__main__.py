"""Start MiniStack with the parts of API Gateway that it lacks.

Missing in 1.5.33, and added here. Delete each part once MiniStack has it:

- the authorizer's ``usageIdentifierKey`` (``usage_key``);
- much of an OpenAPI body: ANY, gateway responses, media types, the source of keys (``openapi``);
- one request id, the path and the domain in the request context (``context``);
- a public base URL ``http://host:port/v1``, paths as they were sent, and the caller's own address (``public``);
- Lambda workers that see only their layers, survive an exception and start quickly (``workers``);
- state that survives a crash, not only an orderly stop (``state``);
- executions of state machines that continue after a restart (``executions``);
- a record of the calls of each function (``calls``);
- updates that disturb no request (``updates``).

Run as ``python -m scripts.stack.bridge`` with MiniStack's own variables (``GATEWAY_PORT``, ``STATE_DIR``, ...) and
``STACK_HOSTS``, ``API_PORT`` and ``STACK_NAME``.
"""

import asyncio
import logging
import os
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app

from scripts.stack.bridge import calls, context, openapi, public, state, updates, usage_key, workers

KEEP_ALIVE_SECONDS = 75
SAVE_EVERY_SECONDS = 2.0


def main() -> None:
    """Serve AWS on ``GATEWAY_PORT`` and the deployed API on ``API_PORT`` until SIGTERM."""
    logging.getLogger().setLevel(logging.WARNING)  # not by LOG_LEVEL: functions would inherit it
    openapi.install()
    usage_key.install()
    context.install()
    workers.install()
    calls.install()
    updates.install()
    hosts = os.environ["STACK_HOSTS"].split(",")
    gateway_port, api_port = int(os.environ["GATEWAY_PORT"]), int(os.environ["API_PORT"])
    config = Config()
    config.bind = [f"{host}:{port}" for port in (gateway_port, api_port) for host in hosts]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.loglevel = "WARNING"
    api = public.public_api(app, port=api_port, stack_name=os.environ["STACK_NAME"])
    # hypercorn has types for ASGI, MiniStack has none
    served: Any = state.keep_state(calls.record_calls(api, port=gateway_port), every_seconds=SAVE_EVERY_SECONDS)
    asyncio.run(serve(served, config))


if __name__ == "__main__":
    main()
