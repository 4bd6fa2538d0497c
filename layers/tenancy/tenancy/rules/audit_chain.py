"""The hash chain of an audit log, which makes later changes of sealed entries visible.

Each organization has a chain. A seal is the SHA-256 of the seal before it and the text of the entry. That text has the
personal values as one salted digest only. The values and the salt are stored in a side table. Erasing them does not
break the chain, and the digest alone does not identify a person. Reasons: docs/decisions/0010-audit-chain.md.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

FIRST_SEAL: Final = bytes(32)  # the seal before the first entry of a log


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A stored record of an audit log.

    *sequence* and *seal* are None until it is sealed. *salt* and *source_address* are None after the person was erased.
    *personal_digest* stays.
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
    """A position in a chain: the number of an entry (from 1, 0 is the start) and its seal."""

    sequence: int
    seal: bytes


CHAIN_START: Final = ChainLink(sequence=0, seal=FIRST_SEAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A cut of a log by retention.

    The entries up to *link* were deleted. All of them are older than *cut_before*.
    """

    organization_id: UUID
    link: ChainLink
    cut_before: datetime
    signature: bytes = b""

    @property
    def text(self) -> bytes:
        """The signed bytes."""
        values = [str(self.organization_id), self.link.sequence, self.link.seal.hex(), _time(self.cut_before)]
        return json.dumps(values).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLink:
    """The first position of a chain at which verification fails."""

    sequence: int
    reason: str


def personal_digest(salt: bytes, source_address: str) -> bytes:
    """Return the digest (32 bytes) that represents the personal values in the chain."""
    return hashlib.sha256(salt + json.dumps([source_address]).encode()).digest()


def seal_entry(before: ChainLink, entry: AuditEntry) -> ChainLink:
    """Return the position of *entry* directly after *before*."""
    sequence = before.sequence + 1
    values = [
        str(entry.organization_id), sequence, str(entry.id), _time(entry.occurred_at), entry.actor_kind,
        str(entry.actor_id), entry.action, entry.target, entry.outcome, entry.code, entry.count, entry.request_id,
        entry.personal_digest.hex(),
    ]  # fmt: skip
    return ChainLink(sequence=sequence, seal=hashlib.sha256(before.seal + json.dumps(values).encode()).digest())


def verify_chain(before: ChainLink, entries: Iterable[AuditEntry]) -> tuple[ChainLink, BrokenLink | None]:
    """Verify that the sealed and ordered *entries* continue the chain after *before*.

    Returns:
        The last valid position, and the first position that fails or None.
    """
    for entry in entries:
        expected = seal_entry(before, entry)
        if entry.sequence != expected.sequence:
            return before, BrokenLink(sequence=expected.sequence, reason="the entry is missing")
        if entry.seal != expected.seal:
            return before, BrokenLink(sequence=expected.sequence, reason="the entry does not match its seal")
        if not _personal_values_match(entry):
            return before, BrokenLink(
                sequence=expected.sequence, reason="the personal values do not match their digest"
            )
        before = expected
    return before, None


def _personal_values_match(entry: AuditEntry) -> bool:
    if entry.salt is None or entry.source_address is None:
        return entry.salt is None and entry.source_address is None
    return personal_digest(entry.salt, entry.source_address) == entry.personal_digest


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
