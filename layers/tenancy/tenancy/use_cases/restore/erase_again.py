"""Erase an organization again after a restore from a backup that lacks its erasure or a part of it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.register import digest_of
from tenancy.stores.aws.signer import Signer
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.organization_rows import (
    count_event_rows,
    delete_event_rows,
    list_organizations_with_rows,
)
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.deletions import (
    find_deletion,
    list_tombstone_times,
    update_deleted,
    update_restored,
)
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.restored_homes import delete_named_people
from tenancy.use_cases.deletion.delete import DELETED
from tenancy.use_cases.deletion.erase import (
    OvertakenError,
    RowsLeftError,
    certify,
    erase_store,
    place_tombstones,
)
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES, ErasureStores
from tenancy.use_cases.restore.restorer import RESTORER

REASON = "Erased before the restore from a backup."
GONE = frozenset({OrganizationStatus.ERASING, OrganizationStatus.ERASED})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOrganizations:
    """Organizations that only ClickHouse knows: those that were *erased* again, and those that are *left*."""

    erased: list[UUID]
    left: list[UUID]


def erase_again(
    erasure_stores: ErasureStores, signer: Signer, organization_id: UUID, *, clock: Callable[[], datetime]
) -> None:
    """Erase the organization from all stores, by the steps of its first erasure, and count zero rows.

    It does not wait for writers, because none runs before the restored databases serve requests. No mail announces the
    deletion. If the backup is older than the first certificate, another one is signed, and the last contact gets
    another mail. The sweep starts the second count two days later.

    With several databases, the restored platform log of a former home may have IP addresses of people whom the present
    home has erased already. They are deleted, too.

    Raises:
        UnavailableError, ClickHouseError, RedisUnreachableError: a store is unreachable. A further call continues.
        RowsLeftError: as for `certify`.
    """
    generation = _delete(erasure_stores.platform_db, organization_id, now=clock())
    request_id = RESTORER.request_id
    place_tombstones(erasure_stores, organization_id, generation, request_id=request_id, now=clock())
    _delete_addresses(erasure_stores.platform_db, organization_id)
    for store in ERASABLE_STORES:
        erase_store(erasure_stores, organization_id, generation, store, now=clock())
    certify(erasure_stores, signer, organization_id, generation, request_id=request_id, now=clock())


def erase_unknown(
    erasure_stores: ErasureStores, digests: Collection[str], known: Iterable[UUID], *, now: datetime
) -> UnknownOrganizations:
    """Erase organizations of the register that only ClickHouse knows, whose backup is newer.

    Raises:
        RowsLeftError: ClickHouse has ignored a DELETE.
    """
    client = erasure_stores.client()
    unknown = sorted(list_organizations_with_rows(client) - set(known))
    erased = [each for each in unknown if digest_of(each) in digests]
    for organization_id in erased:
        insert_tombstone(client, organization_id, closed_at=now)
        _delete_rows(client, organization_id)
    return UnknownOrganizations(erased=erased, left=[each for each in unknown if each not in erased])


def erase_returned(erasure_stores: ErasureStores) -> list[UUID]:
    """Erase organizations whose tombstone PostgreSQL has, and that have rows in ClickHouse again, and return them.

    The register lacks organizations that were erased before it began.

    Raises:
        RowsLeftError: ClickHouse has ignored a DELETE.
    """
    client, times = erasure_stores.client(), dict[UUID, datetime]()
    for database in erasure_stores.platform_db.every():
        with database.transaction() as conn:
            times |= list_tombstone_times(conn)
    returned = sorted(list_organizations_with_rows(client) & times.keys())
    for organization_id in returned:
        _delete_rows(client, organization_id)
    return returned


def _delete_rows(client: Client, organization_id: UUID) -> None:
    delete_event_rows(client, organization_id)
    left = [f"clickhouse/{table}" for table, rows in count_event_rows(client, organization_id).items() if rows]
    if left:
        raise RowsLeftError(", ".join(left))


def _delete_addresses(platform_db: Homes, organization_id: UUID) -> None:
    """Delete the addresses of its people from the platform's log of each of several databases."""
    databases = platform_db.every()
    for database in databases if len(databases) > 1 else ():
        with database.tenant_transaction(organization_id, ignores_moves=True) as conn:
            delete_named_people(conn, organization_id)


def _delete(platform_db: Homes, organization_id: UUID, *, now: datetime) -> int:
    """Mark the organization as deleted, with an expired grace period, and return the deletion's generation."""
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
        if organization is not None and organization.status not in GONE:
            if organization.status is OrganizationStatus.DELETED:
                update_restored(conn, organization_id, now=now)  # its grace period may not be over
            update_deleted(conn, organization_id, reason=REASON, now=now, purge_at=now)
            record = AuditRecord.done(DELETED, str(organization_id), RESTORER, now=now)
            insert_audit_record(conn, organization_id, record)
        deletion = find_deletion(conn, organization_id)
    if deletion is None:
        raise OvertakenError
    return deletion.generation
