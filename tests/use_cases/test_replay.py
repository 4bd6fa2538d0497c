"""The replay of the register: ended keys, erased organizations, erased subjects and sessions."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tenancy.errors import UnauthenticatedError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.homes import ENTERED, ENTERING, Entry, EntryKind
from tenancy.rules.register import (
    ended_keys,
    erased_organization,
    erased_subject,
    marked_deletion,
    undone_deletion,
)
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.register import Register
from tenancy.stores.postgres.platform.catalogue import upsert_entries
from tenancy.stores.postgres.platform.erasure_jobs import claim_erasure
from tenancy.use_cases.deletion.erase import RowsLeftError
from tenancy.use_cases.keys.platform_keys import create_platform_key, rotate_platform_key
from tenancy.use_cases.keys.register_platform_keys import register_platform_keys
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.restore.replay import replay
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import NOW, OPERATOR, REGION, REGISTER_BUCKET, Databases
from tests.handlers.functions import superuser
from tests.registers import read_register, stored_entries
from tests.use_cases.erasing import PURGE, Platform, column_of, pending_entries
from tests.use_cases.people import ADDRESS, People, mailed_tokens
from tests.use_cases.privacy_jobs import ask_erasure, devices, erasure, run_jobs
from tests.use_cases.restoring import replay_stores, run_replay
from tests.use_cases.storing import count, store
from tests.use_cases.test_erasures import statistics, usage

HOUR = timedelta(hours=1)
SUBJECT = "device-3"
KEY_ENDS = "SELECT id, revoked_at, expires_at FROM api_keys ORDER BY id"


def key_ends(databases: Databases) -> dict[UUID, tuple[object, object]]:
    with superuser(databases) as conn:
        return {key_id: (revoked, expires) for key_id, revoked, expires in conn.execute(KEY_ENDS)}


def set_status(databases: Databases, provisioned: Provisioned, status: str) -> None:
    with superuser(databases) as conn:
        statement = "UPDATE organizations SET status = %s WHERE id = %s"
        conn.execute(statement, (status, provisioned.organization.id))


def test_only_registered_keys_end(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned, globex: Provisioned
) -> None:
    register.put(ended_keys(acme.organization.id, [acme.secret_key_id], ends_at=NOW - HOUR))
    register.put(ended_keys(acme.organization.id, [globex.secret_key_id, uuid4()], ends_at=NOW - HOUR))
    register.put(ended_keys(uuid4(), [acme.write_key_id], ends_at=NOW - HOUR))

    done = run_replay(platform, databases, NOW)

    ended = {key_id for key_id, (revoked, _) in key_ends(databases).items() if revoked}
    assert (done.keys, ended) == (1, {acme.secret_key_id})


def test_restored_catalogue_may_lack_values(platform: Platform, databases: Databases) -> None:
    with databases.platform.transaction() as conn:
        upsert_entries(conn, PLATFORM_LOG, [ENTERING, Entry(EntryKind.KEY, ENTERED)], now=NOW)

    run_replay(platform, databases, NOW)

    with superuser(databases) as conn:
        assert conn.execute("SELECT count(*) FROM catalogue_entries").fetchone() == (0,)


def test_overlap_of_a_rotated_key_ends_at_its_time(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned
) -> None:
    register.put(ended_keys(acme.organization.id, [acme.secret_key_id], ends_at=NOW + HOUR))

    done = [run_replay(platform, databases, NOW).keys for _ in range(2)]

    assert done == [1, 0]
    assert key_ends(databases)[acme.secret_key_id] == (None, NOW + HOUR)


def test_last_platform_key_ends_again(
    platform: Platform, databases: Databases, encryptor: Encryptor, register: Register
) -> None:
    made = create_platform_key(databases.platform, encryptor, "x", None, OPERATOR, idempotency_key=None, now=NOW)
    rotate_platform_key(
        databases.platform, encryptor, register, made.id, timedelta(), OPERATOR, idempotency_key=None, now=NOW
    )
    with superuser(databases) as conn:  # the backup is older than the rotation
        conn.execute("DELETE FROM platform_keys WHERE id <> %s", (made.id,))
        conn.execute("UPDATE platform_keys SET revoked_at = NULL, replaced_by = NULL")

    done = run_replay(platform, databases, NOW)

    with superuser(databases) as conn:
        [(left,)] = conn.execute("SELECT count(*) FROM platform_keys WHERE revoked_at IS NULL")
    assert (done.keys, left) == (1, 0)


@pytest.mark.parametrize("status", ["active", "suspended", "deleted", "erasing"])
def test_organization_is_erased_in_each_status(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned, globex: Provisioned, status: str
) -> None:
    organization_id = acme.organization.id
    store(databases, organization_id, range(10), at=NOW)
    store(databases, globex.organization.id, range(10), at=NOW)
    if status in {"deleted", "erasing"}:
        platform.delete(organization_id, now=NOW - HOUR)
    if status == "erasing":
        platform.place_tombstones(organization_id)
    if status == "suspended":
        set_status(databases, acme, status)
    register.put(erased_organization(organization_id, closed_at=NOW))

    runs = [run_replay(platform, databases, NOW).organizations for _ in range(2)]

    assert runs == [1, 1]
    assert column_of(databases, organization_id)["status"] == "erased"
    assert (count(databases, organization_id), count(databases, globex.organization.id)) == (0, 10)
    assert column_of(databases, globex.organization.id)["status"] == "active"
    assert [kind for kind, _ in pending_entries(databases)] == ["erased_mail"]


def test_deletion_after_the_backup_is_marked_again(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned, globex: Provisioned
) -> None:
    register.put(marked_deletion(acme.organization.id, 3, purge_at=PURGE))

    for _ in range(2):
        run_replay(platform, databases, NOW)

    row = column_of(databases, acme.organization.id)
    assert (row["status"], row["deletion_generation"], row["purge_at"]) == ("deleted", 3, PURGE)
    assert column_of(databases, globex.organization.id)["status"] == "active"
    assert [kind for kind, _ in pending_entries(databases)] == ["deletion_execution"]


def test_deletion_that_was_undone_after_the_backup_is_undone_again(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    register.put(undone_deletion(acme.organization.id, 1))

    run_replay(platform, databases, NOW)

    row = column_of(databases, acme.organization.id)
    assert (row["status"], row["deletion_generation"], row["purge_at"]) == ("active", 1, None)


def test_later_deletion_replaces_that_of_the_backup(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    register.put(undone_deletion(acme.organization.id, 1))
    register.put(marked_deletion(acme.organization.id, 2, purge_at=PURGE + HOUR))

    run_replay(platform, databases, NOW)

    row = column_of(databases, acme.organization.id)
    assert (row["status"], row["deletion_generation"], row["purge_at"]) == ("deleted", 2, PURGE + HOUR)


def test_register_without_an_undoing_deletes_no_restored_organization(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    """S3 was unreachable when the deletion was undone, and the backup is newer."""
    platform.delete(acme.organization.id)
    set_status(databases, acme, "active")
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status_before_deletion = NULL, deleted_at = NULL, purge_at = NULL")

    run_replay(platform, databases, NOW)

    assert column_of(databases, acme.organization.id)["status"] == "active"


def test_organization_that_only_clickhouse_knows_is_erased(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned
) -> None:
    lost, other = uuid4(), uuid4()
    for organization_id in (lost, other, acme.organization.id):
        store(databases, organization_id, range(10), at=NOW)
    register.put(erased_organization(lost, closed_at=NOW))
    said: list[str] = []

    done = run_replay(platform, databases, NOW, say=said.append)

    assert done.organizations == 1
    assert [line for line in said if str(lost) in line or str(other) in line] == [
        f"{lost}: erased from ClickHouse, PostgreSQL does not know it",
        f"{other}: has rows in ClickHouse, is not in PostgreSQL, and was never erased",
    ]
    assert [count(databases, each) for each in (lost, other, acme.organization.id)] == [0, 10, 10]


def test_all_tokens_and_sessions_end(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    epochs = [column_of(databases, acme.organization.id)["token_epoch"]]

    for now in (NOW, NOW, NOW + timedelta(days=1)):
        run_replay(platform, databases, now)
        epochs.append(column_of(databases, acme.organization.id)["token_epoch"])

    assert epochs == sorted(set(epochs))
    assert epochs[1] == int(NOW.timestamp()) // 60
    assert epochs[-1] < 2**31


def test_invitations_end(platform: Platform, databases: Databases, encryptor: Encryptor, acme: Provisioned) -> None:
    """They may have been withdrawn or accepted after the backup."""
    people = People(databases=databases, targets=platform.targets, encryptor=encryptor, provisioned=acme)
    people.invite()
    people.sweep()
    [token] = mailed_tokens(ADDRESS)
    people.invite("pending@acme.example")

    run_replay(platform, databases, NOW)
    people.sweep(NOW + HOUR)

    with pytest.raises(UnauthenticatedError):
        people.accept(token, now=NOW + HOUR)
    assert mailed_tokens("pending@acme.example") == []


def test_forgotten_subject_is_erased_again(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    """The last pass deletes the digest of the subject from PostgreSQL. The register keeps it for longer."""
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    for days in (0, 1, 31):
        run_jobs(databases, NOW + timedelta(days=days))
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(20), at=NOW - HOUR)

    done = run_replay(platform, databases, NOW + timedelta(days=32))

    assert done.subjects == 1
    assert SUBJECT not in devices(databases, acme)
    assert SUBJECT in devices(databases, globex)
    assert erasure(databases, acme, erasure_id).status is ErasureStatus.CONFIRMED


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_closed_month_loses_an_erased_subject_once(
    platform: Platform, databases: Databases, acme: Provisioned, passes: int
) -> None:
    """ClickHouse alone was restored. PostgreSQL has subtracted the subject's events already."""
    received = NOW - timedelta(days=60)
    store(databases, acme.organization.id, range(20), at=received)
    roll_up(databases.platform, databases.clickhouse, platform.redis, now=received + HOUR)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    for days in (0, 1, 31)[:passes]:
        run_jobs(databases, NOW + timedelta(days=days))
    before, counted = erasure(databases, acme, erasure_id), usage(databases, acme)
    store(databases, acme.organization.id, range(20), at=received)

    for _ in range(2):
        run_replay(platform, databases, NOW + timedelta(days=32))

    assert SUBJECT not in devices(databases, acme)
    assert [(events, users) for _, events, users, _ in counted] == [(18, 9)]
    assert usage(databases, acme) == counted
    assert [(events, users) for _, events, users in statistics(databases, acme)] == [(18, 9)]
    after = erasure(databases, acme, erasure_id)
    assert (after.status, after.erased_at, after.confirmed_at) == (
        before.status,
        before.erased_at,
        before.confirmed_at,
    )


def test_rows_written_before_the_backup_are_waited_for(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned
) -> None:
    """Two turns of one pass erase them. The second one forgets no row of the first one."""
    received = NOW - timedelta(days=60)
    store(databases, acme.organization.id, range(10), at=received)
    store(databases, acme.organization.id, range(10, 20), at=received, written=NOW + HOUR)
    roll_up(databases.platform, databases.clickhouse, platform.redis, now=received + HOUR)
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    now, waited = NOW, list[Sequence[UUID]]()

    def pause(waiting: Sequence[UUID]) -> None:
        nonlocal now
        waited.append(waiting)
        now += 2 * HOUR

    with databases.platform.transaction() as conn:
        job = claim_erasure(conn, now=NOW, until=NOW)
    assert job is not None
    register.put(erased_subject(job))
    stores = replay_stores(platform, databases)
    replay(stores, read_register(), clock=lambda: now, say=lambda _: None, pause=pause)

    assert waited == [[erasure_id]]
    assert SUBJECT not in devices(databases, acme)
    assert [(events, users) for _, events, users, _ in usage(databases, acme)] == [(18, 9)]


def test_subject_whose_rows_stay_is_named(
    platform: Platform, databases: Databases, register: Register, acme: Provisioned
) -> None:
    """A restored part may skip a DELETE."""
    store(databases, acme.organization.id, range(10), at=NOW, written=NOW + timedelta(days=900))
    erasure_id = ask_erasure(databases, acme, SUBJECT, NOW)
    now = NOW

    def pause(_: Sequence[UUID]) -> None:
        nonlocal now
        now += HOUR

    with databases.platform.transaction() as conn:
        job = claim_erasure(conn, now=NOW, until=NOW)
    assert job is not None
    register.put(erased_subject(job))

    stores = replay_stores(platform, databases)
    with pytest.raises(RowsLeftError, match=f"clickhouse/events .*{erasure_id}"):
        replay(stores, read_register(), clock=lambda: now, say=lambda _: None, pause=pause)


def test_hourly_run_registers_platform_keys(
    databases: Databases, encryptor: Encryptor, register: Register, nowhere: str
) -> None:
    """The request could not reach S3."""
    made = create_platform_key(databases.platform, encryptor, "x", None, OPERATOR, idempotency_key=None, now=NOW)
    unreachable = Register(AwsClient("s3", REGION, f"http://{nowhere}"), REGISTER_BUCKET)
    rotate_platform_key(
        databases.platform, encryptor, unreachable, made.id, HOUR, OPERATOR, idempotency_key=None, now=NOW
    )
    before = stored_entries()

    for _ in range(2):
        register_platform_keys(databases.platform, register, now=NOW + HOUR)

    entry = ended_keys(PLATFORM_LOG, [made.id], ends_at=NOW + HOUR)
    assert (before, stored_entries()) == ({}, {entry.name: dict(entry.content)})
