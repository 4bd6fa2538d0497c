"""The answers that clients got, counted by phase, route, status and origin."""

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

NO_ANSWER: Final = 0  # instead of a status: the connection failed
NOT_STARTED: Final = "WorkerNotStarted"  # scripts/stack/bridge/workers.py
SHOWN_CHARACTERS: Final = 200


class AnswerOrigin(StrEnum):
    """The maker of an answer. Requests that the emulator answered reached no handler."""

    STACK = "the stack"
    EMULATOR = "the emulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAnswer:
    """An answer to a client, and the statuses that the client expects."""

    phase: str
    route: str
    status: int
    body: bytes
    expected: tuple[int, ...]

    @property
    def origin(self) -> AnswerOrigin:
        """Return the maker of the answer.

        The emulator answers 502 with the error of Lambda as text. All errors but one can come from code that ran, so
        they count as the stack's. `WorkerNotStarted` cannot: the bridge raises it if a worker did not start.
        """
        if self.status == NO_ANSWER:
            return AnswerOrigin.EMULATOR
        try:
            error = json.loads(json.loads(self.body)["message"])["errorType"]
        except (ValueError, KeyError, TypeError):
            return AnswerOrigin.STACK
        return AnswerOrigin.EMULATOR if error == NOT_STARTED else AnswerOrigin.STACK

    @property
    def shown(self) -> str:
        """Return the beginning of the body."""
        return self.body[:SHOWN_CHARACTERS].decode("latin-1")

    @property
    def is_wrong(self) -> bool:
        """Tell whether the stack gave an answer that the client did not expect."""
        return self.origin is AnswerOrigin.STACK and self.status not in self.expected


@dataclass(slots=True)
class AnswerLog:
    """A record that many threads write. *phase* is the name of the current step of the upgrade."""

    phase: str
    counts: Counter[tuple[str, str, int, AnswerOrigin]] = field(default_factory=Counter)
    wrong: list[ClientAnswer] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, route: str, status: int, body: bytes, expected: tuple[int, ...]) -> ClientAnswer:
        """Record an answer and return it."""
        answer = ClientAnswer(phase=self.phase, route=route, status=status, body=body, expected=expected)
        with self._lock:
            self.counts[answer.phase, answer.route, answer.status, answer.origin] += 1
            if answer.is_wrong:
                self.wrong.append(answer)
        return answer

    def total(self) -> int:
        """Return the number of answers."""
        with self._lock:
            return self.counts.total()

    def describe(self) -> list[str]:
        """Return a line for each phase with its statuses, and one with the errors of the emulator."""
        phases: dict[str, Counter[str]] = {}
        errors: Counter[str] = Counter()
        with self._lock:
            for (phase, route, status, origin), count in self.counts.items():
                name = str(status or "no answer")
                phases.setdefault(phase, Counter())[name] += count
                if origin is AnswerOrigin.EMULATOR:
                    errors[f"{name} on {route}"] += count
        lines = [f"{phase}: {_listed(statuses)}" for phase, statuses in phases.items()]
        return [*lines, f"errors of the emulator: {_listed(errors) or 'none'}"]

    def faults(self) -> list[str]:
        """Return a line for each kind of wrong answer, with the first one's body."""
        with self._lock:
            wrong = list(self.wrong)
        kinds: dict[tuple[str, str, int], list[ClientAnswer]] = {}
        for answer in wrong:
            kinds.setdefault((answer.phase, answer.route, answer.status), []).append(answer)
        return [
            f"{phase}: {len(answers)} answers {status} on {route}: {answers[0].shown}"
            for (phase, route, status), answers in kinds.items()
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
