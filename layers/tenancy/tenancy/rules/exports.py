"""Exports of an organization: their states, files and names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from msgspec import Meta

from tenancy.rules.cursors import PagedList, TimePosition

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


class FilePosition(NamedTuple):
    """The position of a file: the generation of its export, and its number.

    Numbers start at 1. 0 is the position before the first file.
    """

    generation: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    number: Annotated[int, Meta(ge=0, le=2**31 - 1)]


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


def exports_of(organization_id: UUID) -> PagedList[TimePosition]:
    """Return the list of the organization's exports."""
    return PagedList(name="exports", organization_id=organization_id, position=TimePosition)


def files_of(organization_id: UUID, export_id: UUID) -> PagedList[FilePosition]:
    """Return the list of the files of an export."""
    return PagedList(
        name="export files", organization_id=organization_id, position=FilePosition, parameters=(export_id,)
    )


def export_folder(export_id: UUID, generation: int) -> str:
    """Return the folder of the files of *generation*, below the folder of the organization."""
    return f"{export_id}/{generation}/"


def manifest_name(export_id: UUID, generation: int) -> str:
    """Return the name of the manifest of *generation*, below the folder of the organization."""
    return f"{export_folder(export_id, generation)}manifest.json"
