"""Exports of an organization: their states, files and names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

type ExportPosition = Sequence[Any] | None  # in a section: None is its beginning, and its end


class ExportStatus(StrEnum):
    """How far an export is; an erasure withdraws what was exported before it."""

    PENDING = "pending"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class ExportFile(NamedTuple):
    """One object of an export: rows of one section, as JSON Lines, compressed with gzip."""

    name: str
    section: str
    row_count: int
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export as who asked for it sees it; times are UTC."""

    id: UUID
    status: ExportStatus
    generation: int
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """An export as its worker sees it: *section* and *position* say where the next file begins.

    The worker has it until *claimed_until*. A *generation* ends when an erasure makes what was written so far stale.
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
    """Return where the files of an export's *generation* are, below their organization."""
    return f"{export_id}/{generation}/"


def manifest_name(export_id: UUID, generation: int) -> str:
    """Return the name of the file that names the others, below their organization."""
    return f"{export_folder(export_id, generation)}manifest.json"
