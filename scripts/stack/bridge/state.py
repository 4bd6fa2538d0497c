"""State that must survive a crash: gateway keys, messages in queues, secrets, and executions.

MiniStack saves its state only when it is stopped in order. An accepted event is in the queue and nowhere else. Here the
state that functions change is saved within seconds, and all state on ``POST /_stack/save``. Delete this module once
MiniStack saves continuously.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

import asyncio
import hashlib
import json
import threading
import time
from typing import Any

from ministack import app as ministack
from ministack.core import persistence
from ministack.services import apigateway_v1, secretsmanager, sqs, stepfunctions

from scripts.stack.bridge import executions
from scripts.stack.bridge.public import App, Scope

SAVE_PATH = "/_stack/save"
PAUSE_FACTOR = 10  # times the duration of the last save: a long queue must not keep the server busy
SAVED_AS_THEY_CHANGE = {
    "apigateway_v1": apigateway_v1,
    "sqs": sqs,
    "secretsmanager": secretsmanager,
    "stepfunctions": stepfunctions,
}

_saving = threading.Lock()


def keep_state(app: App, *, every_seconds: float) -> App:
    """Return *app* with its state saved from the end of its start to the start of its stop."""
    stopping = threading.Event()
    saver = threading.Thread(target=_save_until, args=(stopping, every_seconds), name="bridge-state", daemon=True)

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        async def send_and_start(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                executions.resume_interrupted()
                saver.start()
            await send(message)

        async def receive_and_stop() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown" and saver.is_alive():
                stopping.set()
                await asyncio.to_thread(saver.join)
            return message

        if scope["type"] == "lifespan":
            await app(scope, receive_and_stop, send_and_start)
        elif scope["type"] == "http" and scope["path"] == SAVE_PATH:
            await asyncio.to_thread(_save_all)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return serve


def _save_until(stopping: threading.Event, every_seconds: float) -> None:
    digests: dict[str, str] = {}
    took_seconds = 0.0
    while not stopping.wait(max(every_seconds, took_seconds * PAUSE_FACTOR)):
        began = time.monotonic()
        for name, module in SAVED_AS_THEY_CHANGE.items():
            _save_if_changed(name, module, digests)
        took_seconds = time.monotonic() - began


def _save_if_changed(name: str, module: Any, digests: dict[str, str]) -> None:
    try:
        state = module.get_state()
        text = json.dumps(state, default=persistence._json_default, sort_keys=True)
    except RuntimeError:  # it changed while it was copied: the next round takes it
        return
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digests.get(name) != digest:
        with _saving:
            persistence.save_state(name, state)
        digests[name] = digest


def _save_all() -> None:
    with _saving:
        persistence.save_all(ministack._build_persistence_save_dict())
