"""The rules of an organization's end: how long each step lasts, and what the certificate says (decision 7)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

REASON_MAX_CHARACTERS: Final = 1_000
CERTIFICATE_VERSION: Final = 1
# What the count cannot see and nobody can reach, and by when at the latest it is gone, from the count on (which may
# have followed another erasure): the template's retentions, of what the second count leaves as well, the databases' own
# clean-up, and what docs/operations.md asks for.
EXPIRES_WITHIN: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "inactive parts on ClickHouse's disks": timedelta(hours=1),
        "the last contact's address, which goes when the mail to it is sent": timedelta(days=2),
        "rows and index entries in PostgreSQL that VACUUM has not removed": timedelta(days=2),
        "PostgreSQL's statistics of ids, numbers and times; there are none of texts": timedelta(days=2),
        "separators in PostgreSQL's indexes, which go when REINDEX builds them anew": timedelta(days=9),
        "messages in queues and among dead letters, which are dropped instead of loaded": timedelta(days=14),
        "log lines and traces, by ids": timedelta(days=32),
        "PostgreSQL's write-ahead log, snapshots and backups of all databases": timedelta(days=35),
        "histories of executions, by ids": timedelta(days=92),
    }
)
RETAINED: Final = (
    "a tombstone: the organization's id, tier and times",
    "the audit log by ids, without addresses",
    "this certificate",
    "a digest of the subdomain, for the year in which nobody else gets it",
    "bytes in freed space of PostgreSQL's pages, which no statement reads, until it is used again",
)

type Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """How far an organization's deletion is; *generation* tells it from those that were undone before it."""

    organization_id: UUID
    generation: int
    deleted_at: datetime
    purge_at: datetime
    tombstone_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureCount:
    """What is *left*, by store and table, and what was *found* before it was erased once more (`store/table`)."""

    left: Counts
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was counted after an erasure: *text* is JSON, *signature* is the signing key's, over its bytes."""

    id: UUID
    organization_id: UUID
    generation: int
    issued_at: datetime
    text: str
    signature: bytes


def rows_left(counts: Counts) -> dict[str, int]:
    """Return what is not zero, as `store/table`."""
    return {f"{store}/{name}": rows for store, found in counts.items() for name, rows in found.items() if rows}


def certificate_text(deletion: Deletion, count: ErasureCount, *, erased_at: datetime, counted_at: datetime) -> str:
    """Return what a certificate says: JSON with sorted members, the same for the same values."""
    document: dict[str, Any] = {
        "type": "deletion_certificate",
        "version": CERTIFICATE_VERSION,
        "organization_id": str(deletion.organization_id),
        "generation": deletion.generation,
        "deleted_at": _time(deletion.deleted_at),
        "gate_closed_at": _time(deletion.tombstone_at or erased_at),
        "erased_at": _time(erased_at),
        "counted_at": _time(counted_at),
        "counts": {store: dict(found) for store, found in count.left.items()},
        "found": dict(count.found),
        "ages_out": [{"what": what, "by": _time(counted_at + after)} for what, after in EXPIRES_WITHIN.items()],
        "kept": list(RETAINED),
    }
    return json.dumps(document, sort_keys=True)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
