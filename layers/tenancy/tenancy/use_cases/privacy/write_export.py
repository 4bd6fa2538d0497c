"""Write due exports, file after file. A worker that dies repeats one file.

An export is no snapshot: each page shows the data at the time of its read.
"""

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from tenancy.rules.durations import EXPORT_FILE_RETENTION, PRIVACY_JOB_CLAIM_TIME
from tenancy.rules.exports import ExportFile, ExportJob, ExportPosition, export_folder, manifest_name
from tenancy.rules.mails import EXPORT_LINKS_MAILED
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.exports import list_export_files, list_recipients
from tenancy.stores.postgres.platform.export_jobs import (
    claim_export,
    find_expired_export,
    insert_export_file,
    list_stale_exports,
    update_export,
    update_export_done,
    update_export_due,
    update_export_expired,
)
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.privacy.export_pages import SECTIONS, ExportSource
from tenancy.use_cases.schedule.failures import skip_moved

FILE_BYTES: Final = 16 * 1024 * 1024  # compressed; a file is larger by at most one page
GZIP: Final = zlib.MAX_WBITS + 16
FAST: Final = 1


class GzipLines:
    """Lines of one gzip file, which are compressed as they are added."""

    def __init__(self) -> None:
        """Start with no lines."""
        self._compressor = zlib.compressobj(FAST, zlib.DEFLATED, GZIP)
        self._parts: list[bytes] = []
        self.size_bytes = 0
        self.rows = 0

    def add(self, line: bytes) -> None:
        """Add one line."""
        self._append(self._compressor.compress(line + b"\n"))
        self.rows += 1

    def content(self) -> bytes:
        """Finish the file and return it. No line can be added afterwards."""
        self._append(self._compressor.flush())
        return b"".join(self._parts)

    def _append(self, part: bytes) -> None:
        self._parts.append(part)
        self.size_bytes += len(part)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportStores:
    """The stores of the export worker: the platform's database and the bucket."""

    platform_db: Database
    exports: Exports


def claim_due_export(platform_db: Database, *, now: datetime) -> ExportJob | None:
    """Claim the export that has been due for longest. Return None if no export is due."""
    with platform_db.transaction() as conn:
        return claim_export(conn, now=now, until=now + PRIVACY_JOB_CLAIM_TIME)


def postpone_export(platform_db: Database, job: ExportJob, *, due_at: datetime) -> None:
    """Release the job, so that a worker continues it from *due_at* on."""
    with platform_db.tenant_transaction(job.organization_id) as conn:
        update_export_due(conn, job, due_at=due_at)


def delete_expired_export(export_stores: ExportStores, *, now: datetime) -> bool:
    """Delete the files of one expired export, and return whether there was one.

    Raises:
        UnavailableError: S3 is unreachable. The next run continues.
    """
    with export_stores.platform_db.transaction() as conn:
        expired = find_expired_export(conn, now=now)
    if expired is None:
        return False
    organization_id, export_id = expired
    export_stores.exports.delete_all(organization_id, under=f"{export_id}/")
    with skip_moved(), export_stores.platform_db.tenant_transaction(organization_id) as conn:
        update_export_expired(conn, organization_id, export_id)
    return True


def write_export(
    export_stores: ExportStores,
    source: ExportSource,
    job: ExportJob,
    *,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
) -> bool:
    """Write files while *has_time*, and return whether all are written. The next run continues.

    Files of earlier generations are deleted first: a worker may have died before it deleted them.

    Raises:
        UnavailableError: a store is unreachable. The next run continues.
    """
    if job.generation:
        export_stores.exports.delete_generations(job.organization_id, job.id, before=job.generation)
    names = list(SECTIONS)
    while job.section < len(names):
        if not has_time():
            postpone_export(export_stores.platform_db, job, due_at=clock())
            return False
        section = names[job.section]
        compressed, position = _read(source, section, job.position, has_time)
        updated = _store_file(export_stores, job, section, compressed, position)
        if updated is None:
            return False
        job = updated
    return _finish(export_stores, job, now=clock())


def _read(
    source: ExportSource, section: str, position: ExportPosition, has_time: Callable[[], bool]
) -> tuple[GzipLines, ExportPosition]:
    """Return the next file of *section*, and the position of the file after it."""
    compressed = GzipLines()
    while True:
        page = SECTIONS[section](source, position)
        for line in page.lines:
            compressed.add(line)
        position = page.position
        if position is None or compressed.size_bytes >= FILE_BYTES or not has_time():
            return compressed, position


def _store_file(
    export_stores: ExportStores, job: ExportJob, section: str, compressed: GzipLines, position: ExportPosition
) -> ExportJob | None:
    """Upload a file, record it with the next position, and return the updated job.

    Return None if the job was lost. A job is lost if its claim has expired or an erasure has restarted the export. An
    uploaded file that is not recorded is written again, or deleted after a restart.
    """
    with export_stores.platform_db.tenant_transaction(job.organization_id) as conn:
        number = len(list_export_files(conn, job.organization_id, job.id)) + 1
    file, content = _file(job, section, number, compressed)
    if file.row_count:
        export_stores.exports.put(job.organization_id, file.name, content)
    is_last = position is None
    with export_stores.platform_db.tenant_transaction(job.organization_id) as conn:
        updated = update_export(conn, job, section=job.section + is_last, position=position)
        if updated and file.row_count:
            insert_export_file(conn, job, number, file)
    if updated is None:
        _delete_stale_files(export_stores, job)
    return updated


def _finish(export_stores: ExportStores, job: ExportJob, *, now: datetime) -> bool:
    with export_stores.platform_db.tenant_transaction(job.organization_id) as conn:
        files = list_export_files(conn, job.organization_id, job.id)
    export_stores.exports.put(job.organization_id, manifest_name(job.id, job.generation), _manifest(job, files, now))
    with export_stores.platform_db.tenant_transaction(job.organization_id) as conn:
        is_done = update_export_done(conn, job, now=now, expires_at=now + EXPORT_FILE_RETENTION)
        if is_done:
            _enqueue_mails(conn, job, files, now)
    if not is_done:
        _delete_stale_files(export_stores, job)
    return is_done


def _enqueue_mails(conn: Connection, job: ExportJob, files: Sequence[ExportFile], now: datetime) -> None:
    """Enqueue the mail to the recipients of the export. Its links are signed when it is sent."""
    names = [manifest_name(job.id, job.generation), *(file.name for file in files)]
    payload = {
        "export_id": str(job.id),
        "names": names[:EXPORT_LINKS_MAILED],
        "files": len(names),
        "expires_at": f"{now + EXPORT_FILE_RETENTION:%Y-%m-%d %H:%M} UTC",
    }
    for address in list_recipients(conn, job.organization_id, job.actor_id):
        insert_outbox_entry(conn, job.organization_id, OutboxKind.EXPORT_MAIL, {**payload, "to": address}, due_at=now)


def _delete_stale_files(export_stores: ExportStores, job: ExportJob) -> None:
    """Delete the files that an erasure has made stale.

    If another worker has claimed the job, that worker continues with the same files.
    """
    with export_stores.platform_db.tenant_transaction(job.organization_id) as conn:
        stale = list_stale_exports(conn, job.organization_id, since=job.requested_at)
    if job.id in stale:
        export_stores.exports.delete_generations(job.organization_id, job.id, before=stale[job.id])


def _file(job: ExportJob, section: str, number: int, compressed: GzipLines) -> tuple[ExportFile, bytes]:
    content = compressed.content()
    file = ExportFile(
        name=f"{export_folder(job.id, job.generation)}{number:05}-{section}.jsonl.gz",
        section=section,
        row_count=compressed.rows,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
    )
    return file, content


def _manifest(job: ExportJob, files: Sequence[ExportFile], now: datetime) -> bytes:
    rows = {section: sum(each.row_count for each in files if each.section == section) for section in SECTIONS}
    document = {
        "export_id": str(job.id),
        "organization_id": str(job.organization_id),
        "requested_at": job.requested_at.astimezone(UTC),
        "finished_at": now,
        "rows": rows,
        "files": [{**each._asdict(), "sha256": each.sha256.hex()} for each in files],
    }
    return msgspec.json.format(msgspec.json.encode(document))
