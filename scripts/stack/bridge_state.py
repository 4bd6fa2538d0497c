"""State that a crash must not take along: gateway keys of organizations and messages in queues.

MiniStack saves its state when it is stopped in order. Keys are made and messages are sent long after that, and an event
that was accepted is in the queue and nowhere else. Delete this module once MiniStack saves as it goes.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

import asyncio
import hashlib
import json
import logging
import threading
import time
from typing import Any

from ministack import app as ministack
from ministack.core import persistence
from ministack.services import apigateway_v1, secretsmanager, sqs

from scripts.stack.bridge_public import App, Scope

SAVE_PATH = "/_stack/save"
REST = 10  # times as long as saving took: a long queue must not keep the server busy
_SAVED_AS_THEY_CHANGE = {"apigateway_v1": apigateway_v1, "sqs": sqs, "secretsmanager": secretsmanager}
_saving = threading.Lock()
_log = logging.getLogger("bridge")


def start_saving(*, every_seconds: float) -> None:
    """Save what functions change, whenever it changed, from a thread of its own."""

    def save_for_ever() -> None:
        digests: dict[str, str] = {}
        took_seconds = 0.0
        while True:
            time.sleep(max(every_seconds, took_seconds * REST))
            began = time.monotonic()
            for name, module in _SAVED_AS_THEY_CHANGE.items():
                _save_if_changed(name, module, digests)
            took_seconds = time.monotonic() - began

    threading.Thread(target=save_for_ever, name="bridge-state", daemon=True).start()


def _save_if_changed(name: str, module: Any, digests: dict[str, str]) -> None:
    try:
        state = module.get_state()
        text = json.dumps(state, default=persistence._json_default, sort_keys=True)
    except RuntimeError:  # it changed while it was copied: the next round takes it
        _log.debug("state of %s changed while it was saved", name)
        return
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digests.get(name) != digest:
        with _saving:
            persistence.save_state(name, state)
        digests[name] = digest


def save_on_request(app: App) -> App:
    """*app*, which also saves all state on ``POST /_stack/save``: a deployment is kept before anybody relies on it."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != SAVE_PATH:
            await app(scope, receive, send)
            return
        await asyncio.to_thread(_save_all)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return serve


def _save_all() -> None:
    with _saving:
        persistence.save_all(ministack._build_persistence_save_dict())
