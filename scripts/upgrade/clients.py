"""Clients that send events and read while a stack is upgraded.

A sender behaves as an SDK does: it sends a batch again after 429, 5xx or a lost connection, with the same ids. It also
sends accepted batches again, some of them in a later phase, as a client does that never got the answer.
"""

import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import count, cycle
from typing import Any, Final, Protocol, Self

from scripts.upgrade.answers import NO_ANSWER, AnswerLog, ClientAnswer

BATCH_EVENTS: Final = 5
PAUSE_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 0.5
GIVE_UP_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 60
RESEND_EVERY: Final = 5  # batches: the last one again
LATE_RESEND_EVERY: Final = 7  # batches: an old one again
OK: Final = (200,)
DEVICES: Final = 7

type Document = dict[str, Any]


class TrafficOwner(Protocol):
    """The part of a provisioned organization that its clients need."""

    @property
    def id(self) -> str:
        """The id of the organization."""

    @property
    def write_key(self) -> str:
        """The key of senders."""

    @property
    def secret_key(self) -> str:
        """The key of readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBatch:
    """Events with known ids, as the body of a request to *path*."""

    path: str
    ids: tuple[str, ...]
    body: bytes

    @classmethod
    def plain(cls) -> Self:
        """Make a batch for the path of the API."""
        ids, now = _ids(), datetime.now(UTC).isoformat()
        events = [
            {
                "event_type": "purchase",
                "event_name": "Order Completed",
                "device_id": f"device-{number % DEVICES}",
                "platform": "web",
                "event_timestamp": now,
                "event_id": event_id,
            }
            for number, event_id in enumerate(ids)
        ]
        return cls(path="/events", ids=ids, body=json.dumps({"events": events}).encode())

    @classmethod
    def segment(cls) -> Self:
        """Make a batch for a path of Segment's SDKs, which has no authorizer."""
        ids, now = _ids(), datetime.now(UTC).isoformat()
        calls = [
            {"type": "track", "event": "Opened", "anonymousId": "device", "timestamp": now, "messageId": event_id}
            for event_id in ids
        ]
        return cls(path="/batch", ids=ids, body=json.dumps({"batch": calls}).encode())


@dataclass(slots=True)
class Sent:
    """The batches of an organization: *accepted* ones got 200, *unanswered* ones may be stored or not."""

    accepted: list[SentBatch] = field(default_factory=list)
    unanswered: list[SentBatch] = field(default_factory=list)


class Clients:
    """Two senders and a reader for each organization, from the start to the end of a `with` block."""

    def __init__(self, api_url: str, organizations: Sequence[TrafficOwner]) -> None:
        """Prepare clients of the API at *api_url*."""
        self.answers = AnswerLog("before")
        self.sent = {each.id: Sent() for each in organizations}
        self._api_url = api_url
        self._organizations = organizations
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start the clients."""
        works = (self._send, self._send, self._read)
        self._threads = [threading.Thread(target=work, args=(each,)) for each in self._organizations for work in works]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them after the request, or the retries, of each."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def enter(self, phase: str) -> None:
        """Begin another phase. Later answers are counted under its name."""
        self.answers.phase = phase

    def wait_for_answers(self, more: int) -> None:
        """Wait until there are so many *more* answers.

        Raises:
            RuntimeError: a client has ended.
        """
        wanted = self.answers.total() + more
        while self.answers.total() < wanted:
            if not all(thread.is_alive() for thread in self._threads):
                raise RuntimeError("A client has ended.")
            time.sleep(PAUSE_SECONDS)

    def _send(self, owner: TrafficOwner) -> None:
        sent, make = self.sent[owner.id], cycle([SentBatch.plain, SentBatch.segment])
        for number in count(1):
            batch = next(make)()
            is_accepted = self._deliver(owner, batch)
            (sent.accepted if is_accepted else sent.unanswered).append(batch)
            if number % RESEND_EVERY == 0 and is_accepted:
                self._deliver(owner, batch)
            if number % LATE_RESEND_EVERY == 0 and sent.accepted:
                self._deliver(owner, secrets.choice(sent.accepted))
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def _deliver(self, owner: TrafficOwner, batch: SentBatch) -> bool:
        """Send *batch* until it is accepted, and tell whether it was."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            answer = self._call("POST", batch.path, owner.write_key, (200, 429), body=batch.body)
            if answer.status in OK:
                return True
            time.sleep(RETRY_SECONDS)
        return False

    def _read(self, owner: TrafficOwner) -> None:
        unknown = f"sk_{secrets.token_hex(16)}"
        reads = cycle(
            [
                ("/usage", owner.secret_key, OK),
                ("/stats?group_by=day,event_name", owner.secret_key, OK),
                ("/audit?limit=5", owner.secret_key, OK),
                ("/usage", owner.write_key, (403,)),
                ("/usage", unknown, (401,)),
            ]
        )
        while not self._stopping.wait(PAUSE_SECONDS):
            self._call("GET", *next(reads))

    def _call(
        self, method: str, path: str, credential: str, expected: tuple[int, ...], *, body: bytes | None = None
    ) -> ClientAnswer:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {credential}"}
        status, text = _answer(f"{self._api_url}{path}", method, headers, body)
        return self.answers.add(f"{method} {path.partition('?')[0]}", status, text, expected)


def _answer(url: str, method: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - the stack's own URL
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, HTTPException) as error:
        return NO_ANSWER, str(error).encode()


def _ids() -> tuple[str, ...]:
    return tuple(secrets.token_hex(8) for _ in range(BATCH_EVENTS))
