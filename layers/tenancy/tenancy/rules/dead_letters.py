"""Dead letters: their kinds, their causes, and the lines of a data subject in them."""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.erasures import DataSubject, SubjectKind
from tenancy.rules.events.frames import decode_lines, encode_lines
from tenancy.rules.events.names import MAX_NAME_CHARACTERS
from tenancy.rules.events.row import format_row_time

MAX_CAUSE_CHARACTERS: Final = 200
MAX_SAMPLES_PER_CAUSE: Final = 20  # stored calls of one organization and cause in one day
MAX_SHOWN_SAMPLES: Final = 5

# Every value is a text, so that a number is compared as it was sent. Duplicate members are kept.
_decoder: Final = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str, parse_constant=str)


class DeadLetterKind(StrEnum):
    """The kind of a dead letter.

    Events and held events are frames that were not loaded. AUDIT is a record that was not written to the audit log.
    CALLS is a sample of the calls of Segment SDKs that cannot be events. Such a call is never redriven.
    """

    EVENTS = "events"
    HELD_EVENTS = "held_events"
    AUDIT = "audit"
    CALLS = "calls"


REDRIVABLE_KINDS: Final = (DeadLetterKind.EVENTS, DeadLetterKind.HELD_EVENTS, DeadLetterKind.AUDIT)
FRAMES: Final = frozenset({DeadLetterKind.EVENTS, DeadLetterKind.HELD_EVENTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One dead letter without its body.

    *first_received_at* is the time at which SQS first had the message. *events* is the number of events in a frame.
    *call_index* is the place of a call in its batch. *size_bytes* is the size of the message, or of the call.
    """

    id: UUID
    organization_id: UUID
    kind: DeadLetterKind
    cause: str
    events: int | None
    call_index: int | None
    size_bytes: int
    first_received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSample:
    """One stored dead letter as the API shows it, without its body."""

    id: UUID
    events: int | None
    call_index: int | None
    size_bytes: int
    first_received_at: datetime
    redriven_at: datetime | None
    failed_again_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterGroup:
    """The dead letters of one kind and cause, with the newest of them as *samples*."""

    kind: DeadLetterKind
    cause: str
    count: int
    events: int
    size_bytes: int
    redrivable: int
    redriven: int
    failed_again: int
    first_received_at: datetime
    last_received_at: datetime
    samples: Sequence[LetterSample] = ()


def redrivable_kinds(organization_id: UUID) -> list[DeadLetterKind]:
    """Return the kinds of dead letters of the organization that can be sent back.

    Messages that name no organization are kept as the platform's. Of those only audit records can be sent back.
    """
    return [DeadLetterKind.AUDIT] if organization_id == PLATFORM_LOG else list(REDRIVABLE_KINDS)


def without_subject(letter: DeadLetter, body: str, subject: DataSubject, *, through: datetime) -> str | None:
    """Return *body* without the subject's lines, or None if no line is left.

    Lines of events that were received and happened after *through* stay. A body that cannot be read may hold the
    subject, so None is returned for it. Audit records do not name data subjects and stay.
    """
    if letter.kind is DeadLetterKind.AUDIT:
        return body
    if letter.kind is DeadLetterKind.CALLS and letter.first_received_at > through:
        return body
    holds = _frame_test(subject, through) if letter.kind in FRAMES else _call_test(subject)
    try:
        lines = decode_lines(body)
    except ValueError:
        return None
    kept = [line for line in lines if not _may_hold(line, holds)]
    if len(kept) == len(lines):
        return body if lines else None
    return encode_lines(kept) if kept else None


type _Test = Callable[[bytes], bool]


def _may_hold(line: bytes, holds: _Test) -> bool:
    """Whether *line* holds the subject, or cannot be read."""
    try:
        return holds(line)
    except (ValueError, LookupError, TypeError, RecursionError, msgspec.MsgspecError):
        return True


def _frame_test(subject: DataSubject, through: datetime) -> _Test:
    end = format_row_time(through, timespec="microseconds")

    def holds(line: bytes) -> bool:
        row = msgspec.json.decode(line, type=dict[str, Any])
        if str(row.get("received_at", "")) > end and str(row.get("event_timestamp", "")) > end:
            return False
        return any(_is_named(subject, name) for name in _names_in(row, subject.kind))

    return holds


def _names_in(row: Mapping[str, Any], kind: SubjectKind) -> Iterator[str]:
    if kind is SubjectKind.DEVICE_ID:
        yield str(row.get("device_id", ""))
    yield from map(str, row["device_names" if kind is SubjectKind.DEVICE_ID else "user_names"])


def _call_test(subject: DataSubject) -> _Test:
    return lambda line: any(_is_named(subject, text) for text in _texts_in(_decoder.decode(line.decode())))


def _texts_in(document: object) -> Iterator[str]:
    """Yield every text and number in *document*, at any depth."""
    pending = [document]
    while pending:
        match pending.pop():
            case str() as text:
                yield text
            case list() | tuple() as members:
                pending.extend(members)


def _is_named(subject: DataSubject, text: str) -> bool:
    name = text[:MAX_NAME_CHARACTERS]
    spellings = {name, unicodedata.normalize("NFC", name)}
    salt = subject.salt.hex().encode()
    return any(hashlib.sha256(salt + each.encode(errors="replace")).digest() == subject.digest for each in spellings)
