"""Erasures of data subjects: their states, and the rows that a pass over the stores finds."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from operator import add
from typing import Any, Final, NamedTuple
from uuid import UUID

from tenancy.rules.texts import compose

SUBJECT_SALT_BYTES: Final = 16
MAX_PENDING_ERASURES: Final = 100  # of one organization


class ErasureStatus(StrEnum):
    """The state of an erasure.

    ERASED: the stored rows are deleted. CONFIRMED: a later pass found no new rows.
    """

    PENDING = "pending"
    ERASED = "erased"
    CONFIRMED = "confirmed"


class SubjectKind(StrEnum):
    """The kind of name that identifies a data subject."""

    DEVICE_ID = "device_id"
    USER_ID = "user_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """A data subject, identified by a salted *digest* of its name.

    The name itself reaches no database: ClickHouse logs statements and keeps mutations, PostgreSQL keeps old row
    versions.
    """

    kind: SubjectKind
    salt: bytes
    digest: bytes


class WrittenPeriod(NamedTuple):
    """The period of a pass: rows written after *since* and up to *until*.

    None is no bound.
    """

    since: datetime | None = None
    until: datetime | None = None


class DailyLoss(NamedTuple):
    """The loss of one day of receipt: events, devices without another event that day, and bytes."""

    events: int
    devices: int
    size_bytes: int


NOTHING: Final = DailyLoss(0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRows:
    """The rows of a subject: their number, and the days whose statistics and usage include them.

    With *until*, a deletion of the rows written up to then has begun, and some may be deleted already.
    """

    events: int = 0
    held_events: int = 0
    event_days: frozenset[date] = frozenset()
    receipt_days: frozenset[date] = frozenset()
    losses: Mapping[date, DailyLoss] = field(default_factory=dict)
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there are any rows."""
        return bool(self.events or self.held_events)

    def merged(self, later: "SubjectRows") -> "SubjectRows":
        """Return the rows of both passes together.

        *later* has other rows, or the rest of the same rows if their deletion has begun.
        """
        combine = max if self.until else add
        losses = {
            day: DailyLoss(*map(combine, self.losses.get(day, NOTHING), later.losses.get(day, NOTHING)))
            for day in self.losses.keys() | later.losses.keys()
        }
        return SubjectRows(
            events=combine(self.events, later.events),
            held_events=combine(self.held_events, later.held_events),
            event_days=self.event_days | later.event_days,
            receipt_days=self.receipt_days | later.receipt_days,
            losses=losses,
        )

    def document(self) -> dict[str, Any]:
        """Return the values as JSON types."""
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
        """Return the rows that `document` describes, no rows for an empty one."""
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
        """Return the days to count again in the next pass.

        A parallel roll-up may have counted the rows.
        """
        return SubjectRows(event_days=self.event_days, receipt_days=self.receipt_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure as the API shows it.

    Times are UTC. Counts after it are None until the first pass.
    """

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
    """An erasure as its worker sees it.

    *found* has the rows that passes have found and whose loss usage and statistics do not show yet. The last pass
    covered the rows written up to *covered_until*. It is None before the first pass.
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
    """Return the subject for *name*, which has a bounded length.

    The digest is that of the composed name (NFC), so that all spellings of a name are one subject. Each call uses a new
    salt, so each digest differs.
    """
    salt = secrets.token_bytes(SUBJECT_SALT_BYTES)
    digest = hashlib.sha256(salt.hex().encode() + compose(name).encode()).digest()
    return DataSubject(kind=kind, salt=salt, digest=digest)
