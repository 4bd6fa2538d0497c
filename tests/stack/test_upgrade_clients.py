"""The clients of an upgrade's test: they retry, and tell wrong answers, lost events and doubled events."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest

from scripts.upgrade.answers import NO_ANSWER, AnswerLog, AnswerOrigin, ClientAnswer
from scripts.upgrade.clients import Clients
from scripts.upgrade.ledger import Ledger
from tests.free_ports import free_port

PROBLEM = b'{"type":"about:blank","status":503,"code":"unavailable"}'
NOT_STARTED = {"errorMessage": "Worker init failed: No module named 'x'", "errorType": "WorkerNotStarted"}
DIED = {"errorMessage": "Worker process died", "errorType": "Runtime.HandlerError"}


def emulators(error: dict[str, str]) -> bytes:
    """Return the body of MiniStack's answer 502."""
    return json.dumps({"message": json.dumps(error)}).encode()


@pytest.mark.parametrize(
    ("status", "body", "origin"),
    [
        (503, PROBLEM, AnswerOrigin.STACK),
        (502, emulators(DIED), AnswerOrigin.STACK),
        (502, emulators(NOT_STARTED), AnswerOrigin.EMULATOR),
        (502, b'{"message": "Internal server error"}', AnswerOrigin.STACK),
        (502, b"", AnswerOrigin.STACK),
        (502, b"[]", AnswerOrigin.STACK),
        (NO_ANSWER, b"Connection refused", AnswerOrigin.EMULATOR),
    ],
)
def test_only_a_request_without_handler_is_the_emulators(status: int, body: bytes, origin: AnswerOrigin) -> None:
    answer = ClientAnswer(phase="upgrade", route="GET /usage", status=status, body=body, expected=(200,))

    assert answer.origin is origin
    assert answer.is_wrong is (origin is AnswerOrigin.STACK)


def test_answers_are_counted_by_phase() -> None:
    answers = AnswerLog("before")
    answers.add("GET /usage", 200, b"{}", (200,))
    answers.phase = "upgrade"
    answers.add("GET /usage", 503, PROBLEM, (200,))
    answers.add("POST /events", 502, emulators(NOT_STARTED), (200, 429))

    assert answers.describe() == [
        "before: 1 of 200",
        "upgrade: 1 of 502, 1 of 503",
        "errors of the emulator: 1 of 502 on POST /events",
    ]
    assert answers.faults() == [f"upgrade: 1 answers 503 on GET /usage: {PROBLEM.decode()}"]


def test_ledger_names_lost_doubled_and_unknown_events() -> None:
    stored = Counter({"once": 1, "twice": 2, "maybe": 1, "foreign": 1})

    ledger = Ledger(
        accepted=frozenset({"once", "twice", "lost"}), unanswered=frozenset({"maybe", "never"}), stored=stored
    )

    assert ledger.faults() == [
        "1 accepted events are lost: ['lost']",
        "1 events are stored more than once: ['twice']",
        "1 stored events were never sent: ['foreign']",
    ]


def test_ledger_compares_bills_with_stored_events() -> None:
    ledger = Ledger(accepted=frozenset({"a", "b"}), unanswered=frozenset(), stored=Counter("ab"))

    assert ledger.billing_faults(used=2, counted=2) == []
    assert ledger.billing_faults(used=3, counted=1) == [
        "2 events are stored, usage has 3",
        "2 events are stored, the statistics has 1",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acme:
    id: str = "acme"
    write_key: str = "wk_acme"
    secret_key: str = "sk_acme"


@dataclass(slots=True)
class Api:
    """An API that answers each first request for a batch with 503, after it has stored the batch."""

    url: str
    stored: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def accept(self, body: dict[str, Any]) -> int:
        ids = [each.get("event_id") or each["messageId"] for each in body.get("events") or body["batch"]]
        with self.lock:
            is_first = not self.stored[ids[0]]
            self.stored.update(ids)
        return 503 if is_first else 200


@pytest.fixture
def api() -> Iterator[Api]:
    class Serve(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(made.accept(body))

        def do_GET(self) -> None:
            credential = str(self.headers["Authorization"]).removeprefix("Bearer ")
            self.answer({"sk_acme": 200, "wk_acme": 403}.get(credential, 401))

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(PROBLEM)))
            self.end_headers()
            self.wfile.write(PROBLEM)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Serve) as server:
        made = Api(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield made
        server.shutdown()


def test_clients_send_again_until_each_batch_is_accepted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAUSE_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(f"{Clients.__module__}.{name}", 0.005)

    with Clients(api.url, [Acme()]) as clients:
        clients.wait_for_answers(200)
    [sent] = clients.sent.values()

    assert sent.unanswered == []
    assert {event_id for batch in sent.accepted for event_id in batch.ids} == api.stored.keys()
    assert max(api.stored.values()) > min(api.stored.values()) == 2
    assert {(answer.route, answer.status) for answer in clients.answers.wrong} == {
        ("POST /events", 503),
        ("POST /batch", 503),
    }


def test_batch_without_an_answer_may_be_stored_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAUSE_SECONDS", "RETRY_SECONDS", "GIVE_UP_SECONDS"):
        monkeypatch.setattr(f"{Clients.__module__}.{name}", 0.005)

    with Clients(f"http://127.0.0.1:{free_port()}", [Acme()]) as clients:
        clients.wait_for_answers(10)

    assert clients.sent["acme"].accepted == []
    assert clients.sent["acme"].unanswered
    assert clients.answers.wrong == []
