"""Erasures of data subjects: their states, and the rows that a pass found."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from operator import add
from typing import Any, Final, NamedTuple
from uuid import UUID

SALT_BYTES: Final = 16
MAX_PENDING_ERASURES: Final = 100  # of one organization


class ErasureStatus(StrEnum):
    """How far an erasure is: erased is what was stored, confirmed that nothing came after it."""

    PENDING = "pending"
    ERASED = "erased"
    CONFIRMED = "confirmed"


class SubjectKind(StrEnum):
    """By what a data subject is named."""

    DEVICE_ID = "device_id"
    USER_ID = "user_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """A data subject without its name: *digest* is that of the name, with a salt of its own.

    ClickHouse notes statements, and mutations for long; PostgreSQL keeps old values: none of them learns the name.
    """

    kind: SubjectKind
    salt: bytes
    digest: bytes


class WrittenPeriod(NamedTuple):
    """When the rows were written that a pass is about: after *since*, and *until* then; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None


class DailyLoss(NamedTuple):
    """What a day of receipt loses: events, devices that have no other event on it, bytes."""

    events: int
    devices: int
    size_bytes: int


NOTHING: Final = DailyLoss(0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRows:
    """Rows of a subject: how many, and on which days statistics and usage were counted with them.

    With *until*, those written until then are being deleted, and may be partly gone.
    """

    events: int = 0
    held_events: int = 0
    event_days: frozenset[date] = frozenset()
    receipt_days: frozenset[date] = frozenset()
    losses: Mapping[date, DailyLoss] = field(default_factory=dict)
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.events or self.held_events)

    def merged(self, later: "SubjectRows") -> "SubjectRows":
        """Return what was found in all: *later* are other rows, or what is left of these if they are being deleted."""
        both = max if self.until else add
        losses = {
            day: DailyLoss(*map(both, self.losses.get(day, NOTHING), later.losses.get(day, NOTHING)))
            for day in self.losses.keys() | later.losses.keys()
        }
        return SubjectRows(
            events=both(self.events, later.events),
            held_events=both(self.held_events, later.held_events),
            event_days=self.event_days | later.event_days,
            receipt_days=self.receipt_days | later.receipt_days,
            losses=losses,
        )

    def document(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        return {
            "events": self.events,
            "held_events": self.held_events,
            "event_days": sorted(day.isoformat() for day in self.event_days),
            "receipt_days": sorted(day.isoformat() for day in self.receipt_days),
            "losses": {day.isoformat(): list(loss) for day, loss in self.losses.items()},
            "until": self.until and self.until.isoformat(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "SubjectRows":
        """Return what `document` was made from; nothing for an empty one."""
        until = document.get("until")
        return cls(
            events=document.get("events", 0),
            held_events=document.get("held_events", 0),
            event_days=frozenset(map(date.fromisoformat, document.get("event_days", ()))),
            receipt_days=frozenset(map(date.fromisoformat, document.get("receipt_days", ()))),
            losses={date.fromisoformat(day): DailyLoss(*loss) for day, loss in document.get("losses", {}).items()},
            until=until and datetime.fromisoformat(until),
        )

    def made_up_for(self) -> "SubjectRows":
        """Return what the next pass has to count once more: a roll-up that ran beside this one may have seen it."""
        return SubjectRows(event_days=self.event_days, receipt_days=self.receipt_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure as who asked for it sees it; times are UTC, counts after it are None until something was erased."""

    id: UUID
    subject_kind: SubjectKind
    status: ErasureStatus
    events_before: int
    events_after: int | None
    held_events_before: int
    held_events_after: int | None
    requested_at: datetime
    erased_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureJob:
    """An erasure as its worker sees it; *found* is what passes have found, and not made up for yet.

    Rows that were written until *covered_until* were looked at by the last pass; None before the first.
    """

    id: UUID
    organization_id: UUID
    actor_kind: str
    actor_id: UUID
    status: ErasureStatus
    subject: DataSubject
    requested_at: datetime
    found: SubjectRows
    covered_until: datetime | None


def hash_subject(kind: SubjectKind, name: str) -> DataSubject:
    """Return the subject of that *name*; a second time it has another digest."""
    salt = secrets.token_bytes(SALT_BYTES)
    return DataSubject(kind=kind, salt=salt, digest=hashlib.sha256(salt.hex().encode() + name.encode()).digest())
