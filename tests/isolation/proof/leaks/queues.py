"""Leaks in the messages of the template's queues."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tests.handlers.functions import Function
from tests.handlers.queues import lines_in
from tests.isolation.proof.canaries import Canaries
from tests.isolation.proof.leaks.secrets import kinds_of_secrets_in
from tests.isolation.proof.sqs import Message, SqsServer

ORGANIZATION_ID = "organization_id"
DERIVED_UUID_VERSION = 5
ALL_SUCCEEDED: dict[str, list[Any]] = {"batchItemFailures": []}


@dataclass(slots=True)
class QueueInspector:
    """Takes messages out of the queues, checks them, and passes them to their consumers."""

    sqs: SqsServer
    queue_urls: Mapping[str, str]
    consumers: Mapping[str, Function]
    canaries: Canaries
    organizations_by_derived_id: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    message_counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def discard_all(self) -> None:
        """Empty every queue without passing anything on."""
        for url in self.queue_urls.values():
            self.sqs.take_all(url)

    def deliver_all(self, caller: UUID | None, *, is_operator: bool = False) -> list[str]:
        """Check and deliver the messages that *caller* caused, and return a sentence for each leak.

        *caller* is None for the operator and for callers without a credential.
        """
        leaks: list[str] = []
        for name, url in self.queue_urls.items():
            messages = self.sqs.take_all(url)
            self.message_counts[name] += len(messages)
            for message in messages:
                leaks += [f"{name}: {leak}" for leak in self._leaks_in(message, caller, is_operator=is_operator)]
            if messages and name not in self.consumers:
                leaks.append(f"{name}: no function consumes a message")
            elif messages and self.consumers[name]({"Records": messages}) != ALL_SUCCEEDED:
                leaks.append(f"{name}: the consumer rejects a message")
        shared = [each for each, owners in self.organizations_by_derived_id.items() if len(owners) > 1]
        return [*leaks, *(f"two organizations have the derived event id {each}" for each in shared)]

    def _leaks_in(self, message: Message, caller: UUID | None, *, is_operator: bool) -> Iterator[str]:
        yield from secrets_in_message(message)
        addressee = message["messageAttributes"].get(ORGANIZATION_ID, {}).get("stringValue")
        if addressee is None:
            yield "a message names no organization"
            return
        if not is_operator and addressee not in {str(caller), str(PLATFORM_LOG)}:
            yield "a message is addressed to another organization than the caller's"
        for text, owner in _rows(message["body"]):
            if owner is not None and owner != addressee:
                yield "a message holds a row of another organization"
            if not is_operator and self.canaries.foreign_fields_in(text, caller):
                yield f"a message shows {sorted(self.canaries.foreign_fields_in(text, caller))}"
        for event_id in _derived_ids(message["body"]):
            self.organizations_by_derived_id[event_id].add(addressee)


def secrets_in_message(message: Message) -> Iterator[str]:
    """Yield a sentence for each kind of secret in the attributes and rows of *message*."""
    texts = [str(message["messageAttributes"]), *(text for text, _ in _rows(message["body"]))]
    for kind in sorted({kind for text in texts for kind in kinds_of_secrets_in(text)}):
        yield f"a message shows {kind}"


def organizations_in(messages: list[Message]) -> list[str]:
    """Return the organization of each row in *messages*, sorted."""
    return sorted(str(owner) for message in messages for _, owner in _rows(message["body"]))


def _rows(body: str) -> Iterator[tuple[str, str | None]]:
    """Return each row of a message, JSON or a frame of events or calls, as text with its organization."""
    if body.startswith("{"):
        yield body, json.loads(body).get(ORGANIZATION_ID)
        return
    for line in lines_in(body):
        document = json.loads(line)
        yield line.decode(), document.get(ORGANIZATION_ID) if isinstance(document, dict) else None


def _derived_ids(body: str) -> Iterator[str]:
    """Return the event ids that were derived from the content of an event."""
    for line in [] if body.startswith("{") else lines_in(body):
        document = json.loads(line)
        try:
            event_id = UUID(document["event_id"])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if event_id.version == DERIVED_UUID_VERSION:
            yield str(event_id)
