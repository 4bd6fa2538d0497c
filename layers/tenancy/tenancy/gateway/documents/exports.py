"""Documents of exports."""

from datetime import datetime
from typing import Annotated, Any, Final, TypedDict

from pydantic import WithJsonSchema

from tenancy.gateway.answer_types import PaginationAnswer, Seal, Time, Uuid
from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.exports import ExportFile, ExportStatus
from tenancy.use_cases.privacy.request_export import ExportWithLinks

EXPIRED: Final = "expired"  # the status of a finished export whose files are deleted
SHOWN_STATUSES: Final = (*ExportStatus, EXPIRED)


class ExportFileAnswer(TypedDict):
    """A file of an export, with a link to it. *sha256* is in hex."""

    name: str
    section: str
    rows: int
    bytes: int
    sha256: Seal
    url: str


class ExportAnswer(TypedDict):
    """An export, and one page of its files. *manifest* is a link."""

    id: Uuid
    status: Annotated[str, WithJsonSchema({"type": "string", "enum": list(SHOWN_STATUSES)})]
    requested_at: Time
    finished_at: Time | None
    expires_at: Time | None
    manifest: str | None
    files: list[ExportFileAnswer]
    pagination: PaginationAnswer


def export_document(page: ExportWithLinks, *, now: datetime) -> dict[str, Any]:
    """Return an export with the files that can be downloaded."""
    export, cursor = page.export, page.next_cursor
    is_expired = export.expires_at is not None and export.expires_at <= now and export.status is ExportStatus.DONE
    return {
        "id": str(export.id),
        "status": EXPIRED if is_expired else export.status.value,
        "requested_at": format_time(export.requested_at),
        "finished_at": format_optional_time(export.finished_at),
        "expires_at": format_optional_time(export.expires_at),
        "manifest": page.manifest,
        "files": [_file(file, link) for file, link in page.files.items()],
        "pagination": {"next_cursor": cursor, "has_more": cursor is not None},
    }


def _file(file: ExportFile, link: str) -> dict[str, Any]:
    return {
        "name": file.name.rpartition("/")[2],
        "section": file.section,
        "rows": file.row_count,
        "bytes": file.size_bytes,
        "sha256": file.sha256.hex(),
        "url": link,
    }
