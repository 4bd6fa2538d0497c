"""Portability and data subjects as clients speak of them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenancy.gateway.times import format_time
from tenancy.rules.privacy import DataSubject, Erasure, ExportFile, ExportStatus, SubjectKind, hash_subject
from tenancy.use_cases.privacy.request_privacy import ExportWithLinks

Name = Annotated[str, Field(min_length=1, max_length=255)]


class NewErasure(BaseModel):
    """The body of POST /v1/erasures: one name of one data subject. It is never shown again, nor logged."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    device_id: Name | None = None
    user_id: Name | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "NewErasure":
        if (self.device_id is None) == (self.user_id is None):
            raise ValueError("Exactly one of device_id and user_id names the data subject.")
        return self

    def subject(self) -> DataSubject:
        """Return whom it is about, without the name."""
        if self.device_id is not None:
            return hash_subject(SubjectKind.DEVICE_ID, self.device_id)
        return hash_subject(SubjectKind.USER_ID, self.user_id or "")


def export_document(page: ExportWithLinks, *, now: datetime) -> dict[str, Any]:
    """Return what is answered about an export, and the files of it that can be had."""
    export, cursor = page.export, page.next_cursor
    is_expired = export.expires_at is not None and export.expires_at <= now and export.status is ExportStatus.DONE
    return {
        "id": str(export.id),
        "status": "expired" if is_expired else export.status.value,
        "requested_at": format_time(export.requested_at),
        "finished_at": _time(export.finished_at),
        "expires_at": _time(export.expires_at),
        "manifest": page.manifest,
        "files": [_file(file, link) for file, link in page.files.items()],
        "pagination": {"next_cursor": None if cursor is None else str(cursor), "has_more": cursor is not None},
    }


def erasure_document(erasure: Erasure) -> dict[str, Any]:
    """Return what is answered about an erasure; whom it is about is not said."""
    return {
        "id": str(erasure.id),
        "subject": erasure.subject_kind.value,
        "status": erasure.status.value,
        "requested_at": format_time(erasure.requested_at),
        "erased_at": _time(erasure.erased_at),
        "confirmed_at": _time(erasure.confirmed_at),
        "events": _counts(erasure.events_before, erasure.events_after),
        "held_events": _counts(erasure.held_events_before, erasure.held_events_after),
    }


def _counts(before: int, after: int | None) -> dict[str, int | None]:
    return {"before": before if after is not None else None, "after": after}


def _file(file: ExportFile, link: str) -> dict[str, Any]:
    return {
        "name": file.name.rpartition("/")[2],
        "section": file.section,
        "rows": file.row_count,
        "bytes": file.size_bytes,
        "sha256": file.sha256.hex(),
        "url": link,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
