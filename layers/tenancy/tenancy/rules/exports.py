"""Exports of an organization: their states, files and names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

type ExportPosition = Sequence[Any] | None  # in a section; None is its beginning and its end


class ExportStatus(StrEnum):
    """The state of an export.

    An erasure withdraws the exports that were made before it.
    """

    PENDING = "pending"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class ExportFile(NamedTuple):
    """A file of an export: rows of one section as JSON Lines, compressed with gzip."""

    name: str
    section: str
    row_count: int
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export as the API shows it.

    Times are UTC.
    """

    id: UUID
    status: ExportStatus
    generation: int
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """An export as its worker sees it.

    The next file begins at *section* and *position*. The claim of the worker ends at *claimed_until*. An erasure makes
    the written files stale and starts a new *generation*.
    """

    id: UUID
    organization_id: UUID
    actor_kind: str
    actor_id: UUID
    requested_at: datetime
    claimed_until: datetime
    generation: int
    section: int
    position: ExportPosition


def export_folder(export_id: UUID, generation: int) -> str:
    """Return the folder of the files of *generation*, below the folder of the organization."""
    return f"{export_id}/{generation}/"


def manifest_name(export_id: UUID, generation: int) -> str:
    """Return the name of the manifest of *generation*, below the folder of the organization."""
    return f"{export_folder(export_id, generation)}manifest.json"
