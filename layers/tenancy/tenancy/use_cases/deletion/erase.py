"""Erase an organization after its grace period, in tasks of a state machine.

Each task may run twice.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.deletion import Certificate, Counts, Deletion, ErasureCount, certificate_text, rows_left
from tenancy.rules.durations import (
    CERTIFICATE_RETRY_WINDOW,
    LAST_MAIL_RETENTION,
    PRIVACY_JOB_CLAIM_TIME,
    ROLL_UP_LEASE_TIME,
)
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.register import erased_organization
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.signer import Signer
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.deletions import (
    find_deletion,
    find_last_contact,
    insert_certificate,
    list_certificates,
    update_erased,
    update_erasing,
)
from tenancy.stores.postgres.platform.leases import has_active_leases, has_claimed_jobs
from tenancy.stores.postgres.platform.organization_rows import delete_last_mail
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.use_cases.admission.publish_standing import publish_standing
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES, ErasureStores
from tenancy.use_cases.held_events.release_held import release_lease
from tenancy.use_cases.homes.find_copies import find_copies
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.roll_up import ROLL_UP_LEASE

ERASING: Final = "organization.erasing"
ERASED: Final = "organization.erased"
UNFINISHED_MOVE: Final = (
    "A move of the organization is unfinished. These databases have a copy: {names}."
    " Run: python -m scripts.move complete"
)


class OvertakenError(Exception):
    """The deletion was undone, or a newer deletion exists. This one has nothing to erase."""


class EarlyError(Exception):
    """The grace period is not over yet."""


class WritersActiveError(Exception):
    """A writer that started before the tombstones may still write rows.

    An unfinished move of the organization is such a writer, too. If the operator must act, the text says how.
    """


class RowsLeftError(Exception):
    """Rows remain after the erasure. The error's text names their stores and tables."""


def place_tombstones(
    erasure_stores: ErasureStores, organization_id: UUID, generation: int, *, request_id: str, now: datetime
) -> Deletion:
    """Place the tombstones in PostgreSQL and ClickHouse, after which no restore is possible.

    From then on no request is served, no event is loaded and no row is rolled up for the organization. The register has
    the erasure before any data is erased.

    Raises:
        OvertakenError: the organization was restored, or deleted again.
        EarlyError: the grace period is not over.
        UnavailableError, ClickHouseError: a store is unreachable. A retry continues.
    """
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
        deletion = _require_generation(find_deletion(conn, organization_id), generation)
        if organization is not None and organization.status is OrganizationStatus.DELETED:
            if deletion.purge_at > now:
                raise EarlyError
            update_erasing(conn, organization_id, now=now)
            insert_audit_record(conn, organization_id, _record(ERASING, organization_id, request_id, now))
        deletion = _require_generation(find_deletion(conn, organization_id), generation)
    closed_at = deletion.tombstone_at or now
    erasure_stores.register.put(erased_organization(organization_id, closed_at=closed_at))
    insert_tombstone(erasure_stores.client(), organization_id, closed_at=closed_at)
    if deletion.erased_at is None:
        publish_standing(erasure_stores.platform_db, erasure_stores.redis, organization_id)
    return deletion


def await_writers(
    erasure_stores: ErasureStores,
    organization_id: UUID,
    generation: int,
    *,
    closed_at: datetime,
    writer_wait: timedelta,
    now: datetime,
) -> None:
    """Check that no writer is left that started before the tombstones were placed.

    *closed_at* is a time after `place_tombstones` returned. *writer_wait* is longer than any request runs. Roll-ups and
    releases of held events run longer and hold leases. Exports and erasures of data subjects hold claims. A move that
    ended early is completed by the operator.

    Raises:
        WritersActiveError: a writer may be left, or another database has a copy of the organization.
        OvertakenError, UnavailableError: as for `place_tombstones`.
    """
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        _require_tombstone(conn, organization_id, generation)
        if now < closed_at + writer_wait:
            raise WritersActiveError
        if has_claimed_jobs(conn, organization_id, now=now, until=closed_at + PRIVACY_JOB_CLAIM_TIME):
            raise WritersActiveError
    names = [ROLL_UP_LEASE, release_lease(organization_id)]
    for database in erasure_stores.platform_db.every():  # the roll-up of each one reads all rows of ClickHouse
        with database.transaction() as conn:
            if has_active_leases(conn, names, now=now, ending_before=closed_at + ROLL_UP_LEASE_TIME):
                raise WritersActiveError
    _require_no_copy(erasure_stores, organization_id)


def erase_store(
    erasure_stores: ErasureStores, organization_id: UUID, generation: int, store: str, *, now: datetime
) -> None:
    """Erase the organization from one of `ERASABLE_STORES`.

    Raises:
        OvertakenError, UnavailableError, ClickHouseError, RedisUnreachableError: as for `place_tombstones`.
    """
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        _require_tombstone(conn, organization_id, generation)
    ERASABLE_STORES[store].erase(erasure_stores, organization_id, now)


def certify(
    erasure_stores: ErasureStores,
    signer: Signer,
    organization_id: UUID,
    generation: int,
    *,
    request_id: str,
    now: datetime,
) -> ErasureCount:
    """Count the remaining rows in every store, sign a certificate and enqueue the last mail.

    Rows that are found are erased once more.

    Raises:
        RowsLeftError: rows remain although they were erased again.
        WritersActiveError: another database has a copy of the organization.
        OvertakenError, UnavailableError, ClickHouseError, RedisUnreachableError: as for `place_tombstones`.
    """
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        deletion = _require_tombstone(conn, organization_id, generation)
    count = _require_no_rows(erasure_stores, organization_id, now)
    if deletion.erased_at is None:
        certificate = _certificate(signer, deletion, count, erased_at=now, now=now)
        with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
            _finish_erasure(conn, certificate, request_id, now)
    return count


def count_again(
    erasure_stores: ErasureStores, signer: Signer, organization_id: UUID, generation: int, *, now: datetime
) -> ErasureCount:
    """Count the remaining rows a second time, a day later, and sign a second certificate.

    Rows that are found are erased once more, and the certificate names their tables. The last mail is deleted with its
    address. A retry within `CERTIFICATE_RETRY_WINDOW` signs no further certificate.

    Raises:
        RowsLeftError, WritersActiveError, OvertakenError, UnavailableError, ClickHouseError, RedisUnreachableError: as
            for `certify`.
    """
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        deletion = _require_tombstone(conn, organization_id, generation)
        delete_last_mail(conn, organization_id, pending_since=now - LAST_MAIL_RETENTION)
    count = _require_no_rows(erasure_stores, organization_id, now)
    certificate = _certificate(signer, deletion, count, erased_at=deletion.erased_at or now, now=now)
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        lock_organization(conn, organization_id)
        _, *later = list_certificates(conn, organization_id)
        if not later or later[-1].issued_at < now - CERTIFICATE_RETRY_WINDOW:
            insert_certificate(conn, certificate)
    return count


def _require_generation(deletion: Deletion | None, generation: int) -> Deletion:
    if deletion is None or deletion.generation != generation:
        raise OvertakenError
    return deletion


def _require_tombstone(conn: Connection, organization_id: UUID, generation: int) -> Deletion:
    """Return the deletion, which must have placed its tombstone."""
    deletion = _require_generation(find_deletion(conn, organization_id), generation)
    if deletion.tombstone_at is None:
        raise OvertakenError
    return deletion


def _require_no_rows(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> ErasureCount:
    """Return the counts, which are all zero. Rows that are found are erased once more."""
    counts = _count(erasure_stores, organization_id, now)
    found = rows_left(counts)
    if found:
        for name, store in ERASABLE_STORES.items():
            if any(counts[name].values()):
                store.erase(erasure_stores, organization_id, now)
        counts = _count(erasure_stores, organization_id, now)
    if left := rows_left(counts):
        raise RowsLeftError(", ".join(sorted(left)))
    _require_no_copy(erasure_stores, organization_id)
    return ErasureCount(left=counts, found=found)


def _require_no_copy(erasure_stores: ErasureStores, organization_id: UUID) -> None:
    """Require that no database but the home has rows of the organization."""
    if copies := find_copies(erasure_stores.platform_db, organization_id):
        raise WritersActiveError(UNFINISHED_MOVE.format(names=", ".join(copies)))


def _count(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> Counts:
    return {name: store.count(erasure_stores, organization_id, now) for name, store in ERASABLE_STORES.items()}


def _certificate(
    signer: Signer, deletion: Deletion, count: ErasureCount, *, erased_at: datetime, now: datetime
) -> Certificate:
    text = certificate_text(deletion, count, erased_at=erased_at, counted_at=now)
    return Certificate(
        id=uuid4(),
        organization_id=deletion.organization_id,
        generation=deletion.generation,
        issued_at=now,
        text=text,
        signature=signer.sign(text.encode()),
    )


def _finish_erasure(conn: Connection, certificate: Certificate, request_id: str, now: datetime) -> None:
    organization_id = certificate.organization_id
    organization = lock_organization(conn, organization_id)
    if organization is None or organization.status is not OrganizationStatus.ERASING:
        return  # another run of the task was faster
    insert_certificate(conn, certificate)
    insert_audit_record(conn, organization_id, _record(ERASED, organization_id, request_id, now))
    address = find_last_contact(conn, organization_id)
    if address is not None:
        payload = {"to": address, "organization_id": str(organization_id), "erased_at": f"{now:%Y-%m-%d %H:%M} UTC"}
        insert_outbox_entry(conn, organization_id, OutboxKind.ERASED_MAIL, payload, due_at=now)
    update_erased(conn, organization_id, now=now)


def _record(action: str, organization_id: UUID, request_id: str, now: datetime) -> AuditRecord:
    """Return an audit record of the platform itself, without credential and address."""
    actor = Actor(kind=CallerKind.OPERATOR, id=UUID(int=0), request_id=request_id, source_address="")
    return AuditRecord.done(action, str(organization_id), actor, now=now)
