"""The seals of an audit log: a hash chain per organization that shows every later change of a sealed entry.

A seal is the SHA-256 of the seal before it and of the entry's own text. Personal values enter that text as one salted
digest; values and salt stand in a side table, so that erasing them breaks nothing and leaves a digest of no meaning.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

FIRST_SEAL: Final = bytes(32)  # what the first entry of a log is chained to


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A record as the log keeps it. *sequence* and *seal* are None until it is sealed.

    *salt* and *source_address* are None once the person is erased; *personal_digest* stays.
    """

    id: UUID
    organization_id: UUID
    occurred_at: datetime
    actor_kind: str
    actor_id: UUID
    action: str
    target: str
    outcome: str
    code: str
    count: int
    request_id: str
    personal_digest: bytes
    salt: bytes | None
    source_address: str | None
    sequence: int | None
    seal: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """A place in a chain: the number of an entry (from 1; 0 is before the first) and its seal."""

    sequence: int
    seal: bytes


CHAIN_START: Final = ChainLink(sequence=0, seal=FIRST_SEAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where retention has cut a log: everything up to *link*, all of it older than *cut_before*, is gone."""

    organization_id: UUID
    link: ChainLink
    cut_before: datetime
    signature: bytes = b""

    @property
    def text(self) -> bytes:
        """What the signature signs."""
        values = [str(self.organization_id), self.link.sequence, self.link.seal.hex(), _time(self.cut_before)]
        return json.dumps(values).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLink:
    """The first entry of a chain that is not what was sealed."""

    sequence: int
    reason: str


def personal_digest(salt: bytes, source_address: str) -> bytes:
    """Return what stands for the personal values in the chain; 32 bytes."""
    return hashlib.sha256(salt + json.dumps([source_address]).encode()).digest()


def seal_entry(before: ChainLink, entry: AuditEntry) -> ChainLink:
    """Return the place of *entry* right after *before*."""
    sequence = before.sequence + 1
    values = [
        str(entry.organization_id), sequence, str(entry.id), _time(entry.occurred_at), entry.actor_kind,
        str(entry.actor_id), entry.action, entry.target, entry.outcome, entry.code, entry.count, entry.request_id,
        entry.personal_digest.hex(),
    ]  # fmt: skip
    return ChainLink(sequence=sequence, seal=hashlib.sha256(before.seal + json.dumps(values).encode()).digest())


def verify_chain(before: ChainLink, entries: Iterable[AuditEntry]) -> tuple[ChainLink, BrokenLink | None]:
    """Return how far *entries*, sealed and in order, continue the chain after *before*, and where it breaks."""
    for entry in entries:
        expected = seal_entry(before, entry)
        if entry.sequence != expected.sequence:
            return before, BrokenLink(sequence=expected.sequence, reason="the entry is missing")
        if entry.seal != expected.seal:
            return before, BrokenLink(sequence=expected.sequence, reason="the entry is not what was sealed")
        if not _is_personal_part_whole(entry):
            return before, BrokenLink(sequence=expected.sequence, reason="the personal values are not what was sealed")
        before = expected
    return before, None


def _is_personal_part_whole(entry: AuditEntry) -> bool:
    if entry.salt is None or entry.source_address is None:
        return entry.salt is None and entry.source_address is None
    return personal_digest(entry.salt, entry.source_address) == entry.personal_digest


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
