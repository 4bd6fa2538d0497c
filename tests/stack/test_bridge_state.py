import asyncio
import threading
from typing import Any

from scripts.stack.bridge.state import keep_state


def savers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "bridge-state"]


def test_state_is_saved_between_load_and_last_save_only() -> None:
    seen: dict[str, int] = {}

    async def app(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as in ASGI
        assert (await receive())["type"] == "lifespan.startup"
        seen["while it is loaded"] = len(savers())
        await send({"type": "lifespan.startup.complete"})
        seen["while it is served"] = len(savers())
        assert (await receive())["type"] == "lifespan.shutdown"
        seen["while it is saved at the end"] = len(savers())

    async def run() -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, str]:
            return {"type": next(messages)}

        async def send(_message: object) -> None:
            pass

        await keep_state(app, every_seconds=60.0)({"type": "lifespan"}, receive, send)

    asyncio.run(run())

    assert seen == {"while it is loaded": 0, "while it is served": 1, "while it is saved at the end": 0}
