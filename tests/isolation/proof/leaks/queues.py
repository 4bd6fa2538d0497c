"""The template's queues: whose the messages are that an attacker brought about, and what becomes of them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tests.handlers.functions import Function
from tests.handlers.queues import rows_in
from tests.isolation.proof.canaries import Canaries
from tests.isolation.proof.sqs import Message, PostOffice

ORGANIZATION = "organization_id"
DERIVED = 5  # the version of an id that was computed


@dataclass(slots=True)
class Mailroom:
    """Takes messages out of the queues, looks at them, and hands them to the functions that read them."""

    office: PostOffice
    queues: Mapping[str, str]
    consumers: Mapping[str, Function]
    canaries: Canaries
    derived: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def empty(self) -> list[Message]:
        """Take everything out of every queue, undelivered."""
        return [message for url in self.queues.values() for message in self.office.take_all(url)]

    def deliver(self, owner: UUID | None, *, is_operator: bool = False) -> list[str]:
        """Deliver what *owner* (None: nobody, or the operator) caused, and return what is wrong with it."""
        found: list[str] = []
        for name, url in self.queues.items():
            messages = self.office.take_all(url)
            self.seen[name] += len(messages)
            for message in messages:
                found += [f"{name}: {wrong}" for wrong in self._wrong_in(message, owner, is_operator=is_operator)]
            if messages and name not in self.consumers:
                found.append(f"{name}: a message that nothing reads")
            elif messages and self.consumers[name]({"Records": messages}) != DONE:
                found.append(f"{name}: its function refuses a message")
        shared = [each for each, organizations in self.derived.items() if len(organizations) > 1]
        return [*found, *(f"the derived id {each} is two organizations'" for each in shared)]

    def _wrong_in(self, message: Message, owner: UUID | None, *, is_operator: bool) -> Iterator[str]:
        addressee = message["messageAttributes"].get(ORGANIZATION, {}).get("stringValue")
        if addressee is None:
            yield "a message names no organization"
            return
        if not is_operator and addressee not in {str(owner), str(PLATFORM_LOG)}:
            yield "a message is addressed to another organization than the caller's"
        for text, row in _rows(message["body"]):
            if row is not None and row != addressee:
                yield "a message holds another organization's row"
            if not is_operator and self.canaries.foreign_in(text, owner):
                yield f"a message shows {sorted(self.canaries.foreign_in(text, owner))}"
        for identity in _derived_ids(message["body"]):
            self.derived[identity].add(addressee)


DONE: dict[str, list[Any]] = {"batchItemFailures": []}


def organizations_in(messages: list[Message]) -> list[str]:
    """Return whose the rows of events are in *messages*, sorted."""
    return sorted(str(row) for message in messages for _, row in _rows(message["body"]))


def _rows(body: str) -> Iterator[tuple[str, str | None]]:
    """Return each row of a message as text, with the organization that it says it is of: JSON, or a frame of events."""
    if body.startswith("{"):
        yield body, json.loads(body).get(ORGANIZATION)
    else:
        for row in rows_in(body):
            yield repr(row), str(row.organization_id)


def _derived_ids(body: str) -> Iterator[str]:
    for row in [] if body.startswith("{") else rows_in(body):
        try:
            identity = UUID(row.event_id)
        except ValueError:
            continue
        if identity.version == DERIVED:
            yield str(identity)
