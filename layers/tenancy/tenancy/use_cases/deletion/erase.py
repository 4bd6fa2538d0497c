"""Erase an organization whose grace is over: the tasks of the state machine, each of which may run twice."""

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
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.roll_up import ROLL_UP_LEASE

ERASING: Final = "organization.erasing"
ERASED: Final = "organization.erased"


class OvertakenError(Exception):
    """The deletion was undone, or is not the newest one: there is nothing to erase."""


class EarlyError(Exception):
    """The grace is not over yet."""


class WritersActiveError(Exception):
    """Somebody who began before the gate closed may still write rows."""


class RowsLeftError(Exception):
    """Something is there again, or still, after it was erased; the text names stores and tables."""


def place_tombstones(
    erasure_stores: ErasureStores, organization_id: UUID, generation: int, *, request_id: str, now: datetime
) -> Deletion:
    """Take the way back away: nothing is served, loaded or rolled up for the organization any more.

    Raises:
        OvertakenError: it was restored, or deleted again.
        EarlyError: the grace is not over.
        UnavailableError, ClickHouseError: a store is away; the next try goes on.
    """
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
        deletion = _require(find_deletion(conn, organization_id), generation)
        if organization is not None and organization.status is OrganizationStatus.DELETED:
            if deletion.purge_at > now:
                raise EarlyError
            update_erasing(conn, organization_id, now=now)
            insert_audit_record(conn, organization_id, _record(ERASING, organization_id, request_id, now))
        deletion = _require(find_deletion(conn, organization_id), generation)
    insert_tombstone(erasure_stores.client(), organization_id, closed_at=deletion.tombstone_at or now)
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

    *closed_at* is the time after `place_tombstones` returned; *writer_wait* is longer than any request takes. The
    roll-up and releases of held events take longer and hold leases. Exports and erasures of data subjects hold claims.

    Raises:
        WritersActiveError: somebody may.
        OvertakenError, UnavailableError: as for `place_tombstones`.
    """
    with erasure_stores.platform_db.transaction() as conn:
        _closed(conn, organization_id, generation)
        names = [ROLL_UP_LEASE, release_lease(organization_id)]
        is_quiet = now >= closed_at + writer_wait
        if not is_quiet or has_active_leases(conn, names, now=now, ending_before=closed_at + ROLL_UP_LEASE_TIME):
            raise WritersActiveError
        if has_claimed_jobs(conn, organization_id, now=now, until=closed_at + PRIVACY_JOB_CLAIM_TIME):
            raise WritersActiveError


def erase_store(
    erasure_stores: ErasureStores, organization_id: UUID, generation: int, store: str, *, now: datetime
) -> None:
    """Erase what one of `ERASABLE_STORES` has of the organization.

    Raises:
        OvertakenError, UnavailableError, ClickHouseError, RedisAwayError: as for `place_tombstones`.
    """
    with erasure_stores.platform_db.transaction() as conn:
        _closed(conn, organization_id, generation)
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
    """Count zero in every store, sign a certificate of it, and let the last mail go out.

    Raises:
        RowsLeftError: something is left although it was erased again.
        OvertakenError, UnavailableError, ClickHouseError, RedisAwayError: as for `place_tombstones`.
    """
    with erasure_stores.platform_db.transaction() as conn:
        deletion = _closed(conn, organization_id, generation)
    count = _count_none(erasure_stores, organization_id, now)
    if deletion.erased_at is None:
        certificate = _certificate(signer, deletion, count, erased_at=now, now=now)
        with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
            _close_file(conn, certificate, request_id, now)
    return count


def count_again(
    erasure_stores: ErasureStores, signer: Signer, organization_id: UUID, generation: int, *, now: datetime
) -> ErasureCount:
    """Count zero in every store once more, long after, and sign that as well, with what had come back and was erased.

    The last mail has had its time: the address goes. What was counted again within the last hour is not signed twice.

    Raises:
        RowsLeftError, OvertakenError, UnavailableError, ClickHouseError, RedisAwayError: as for `certify`.
    """
    with erasure_stores.platform_db.transaction() as conn:
        deletion = _closed(conn, organization_id, generation)
        delete_last_mail(conn, organization_id, owed_before=now - LAST_MAIL_RETENTION)
    count = _count_none(erasure_stores, organization_id, now)
    certificate = _certificate(signer, deletion, count, erased_at=deletion.erased_at or now, now=now)
    with erasure_stores.platform_db.tenant_transaction(organization_id) as conn:
        lock_organization(conn, organization_id)
        _, *later = list_certificates(conn, organization_id)
        if not later or later[-1].issued_at < now - CERTIFICATE_RETRY_WINDOW:
            insert_certificate(conn, certificate)
    return count


def _require(deletion: Deletion | None, generation: int) -> Deletion:
    if deletion is None or deletion.generation != generation:
        raise OvertakenError
    return deletion


def _closed(conn: Connection, organization_id: UUID, generation: int) -> Deletion:
    """Return the deletion whose gate is closed."""
    deletion = _require(find_deletion(conn, organization_id), generation)
    if deletion.tombstone_at is None:
        raise OvertakenError
    return deletion


def _count_none(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> ErasureCount:
    """Return the counts, all zero; what is there is erased once more."""
    counts = _count(erasure_stores, organization_id, now)
    found = rows_left(counts)
    if found:
        for name, store in ERASABLE_STORES.items():
            if any(counts[name].values()):
                store.erase(erasure_stores, organization_id, now)
        counts = _count(erasure_stores, organization_id, now)
    if left := rows_left(counts):
        raise RowsLeftError(", ".join(sorted(left)))
    return ErasureCount(left=counts, found=found)


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


def _close_file(conn: Connection, certificate: Certificate, request_id: str, now: datetime) -> None:
    organization_id = certificate.organization_id
    organization = lock_organization(conn, organization_id)
    if organization is None or organization.status is not OrganizationStatus.ERASING:
        return  # another try was faster
    insert_certificate(conn, certificate)
    insert_audit_record(conn, organization_id, _record(ERASED, organization_id, request_id, now))
    address = find_last_contact(conn, organization_id)
    if address is not None:
        payload = {"to": address, "organization_id": str(organization_id), "erased_at": f"{now:%Y-%m-%d %H:%M} UTC"}
        insert_outbox_entry(conn, organization_id, OutboxKind.ERASED_MAIL, payload, due_at=now)
    update_erased(conn, organization_id, now=now)


def _record(action: str, organization_id: UUID, request_id: str, now: datetime) -> AuditRecord:
    """The platform itself acts: nobody's key, no address."""
    actor = Actor(kind=CallerKind.OPERATOR, id=UUID(int=0), request_id=request_id, source_address="")
    return AuditRecord.done(action, str(organization_id), actor, now=now)
