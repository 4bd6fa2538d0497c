"""The deletion of an organization: its state, and the text of the deletion certificate.

Reasons: docs/decisions/0007-deletion.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

REASON_MAX_CHARACTERS: Final = 1_000
CERTIFICATE_VERSION: Final = 1
# Remaining copies that no count sees and no function reads, with the longest time until each expires. The time runs
# from the count, which may have followed a second erasure. The values come from the retention periods in template.yaml
# (also for copies that the recount leaves), the clean-up of the databases, and the settings in docs/operations.md.
EXPIRES_WITHIN: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "inactive data parts in ClickHouse": timedelta(hours=1),
        "the e-mail address of the last contact, which is deleted once the erasure mail is sent": timedelta(days=2),
        "dead rows and index entries in PostgreSQL until VACUUM removes them": timedelta(days=2),
        "planner statistics in PostgreSQL on ids, numbers and times (text columns have none)": timedelta(days=2),
        "separator keys in PostgreSQL indexes until REINDEX rebuilds them": timedelta(days=9),
        "messages in queues and dead-letter queues, which are discarded instead of loaded": timedelta(days=14),
        "log lines and traces, which contain ids only": timedelta(days=32),
        "write-ahead log of PostgreSQL, and snapshots and backups of all databases": timedelta(days=35),
        "digests in the register of erasures, which is replayed after a restore": timedelta(days=73),
        "execution histories of Step Functions, which contain ids only": timedelta(days=92),
    }
)
RETAINED: Final = (
    "a remnant: the id, tier and times of the organization",
    "the audit log, which contains ids and no addresses",
    "this certificate",
    "a digest of the subdomain, which is reserved for one year",
    "bytes in free space of PostgreSQL pages, which no statement reads, until PostgreSQL reuses the space",
)

type Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The state of a deletion.

    *generation* differs from that of earlier deletions that were undone.
    """

    organization_id: UUID
    generation: int
    deleted_at: datetime
    purge_at: datetime
    tombstone_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureCount:
    """The result of a count after an erasure.

    *left* has the remaining rows by store and table. *found* has the rows that the count found and erased once more, by
    `store/table`.
    """

    left: Counts
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A signed certificate.

    *text* is JSON, and *signature* signs the bytes of *text*.
    """

    id: UUID
    organization_id: UUID
    generation: int
    issued_at: datetime
    text: str
    signature: bytes


def rows_left(counts: Counts) -> dict[str, int]:
    """Return the counts that are not zero, by `store/table`."""
    return {f"{store}/{name}": rows for store, found in counts.items() for name, rows in found.items() if rows}


def certificate_text(deletion: Deletion, count: ErasureCount, *, erased_at: datetime, counted_at: datetime) -> str:
    """Return the text of a certificate: JSON with sorted members, equal for equal values."""
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
        "ages_out": [{"what": copy, "by": _time(counted_at + after)} for copy, after in EXPIRES_WITHIN.items()],
        "kept": list(RETAINED),
    }
    return json.dumps(document, sort_keys=True)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
