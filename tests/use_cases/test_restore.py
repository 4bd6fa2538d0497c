"""A drill in small: a backup, erasures and revocations after it, a restore, and the replay of the register."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.register import RegisteredChanges
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.clickhouse.platform.tombstones import list_all_tombstones
from tenancy.use_cases.audit.read_audit import verify_audit_log
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.deletion.read_certificate import read_certificate
from tenancy.use_cases.deletion.restore_tombstones import restore_tombstones
from tenancy.use_cases.keys.authenticate import authenticate_key
from tenancy.use_cases.keys.platform_keys import create_platform_key, revoke_key_of_platform
from tenancy.use_cases.keys.revoke_key import revoke_key
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import NOW, OPERATOR, Databases
from tests.registers import new_register
from tests.use_cases.erasing import PURGE, Platform, column_of
from tests.use_cases.privacy_jobs import ask_erasure, devices, erasure, run_jobs
from tests.use_cases.restoring import Backup, run_replay
from tests.use_cases.storing import count, store

AFTER = PURGE + timedelta(hours=1)
SUBJECT = "device-3"


def mutate(databases: Databases, number: int) -> None:
    """Erase an organization without rows, which gives the parts of the others a later version."""
    delete_event_rows(databases.clickhouse, UUID(int=number))


def is_live(databases: Databases, key: ApiKey) -> bool:
    try:
        authenticate_key(databases.authorizer, key, now=AFTER)
    except UnauthenticatedError:
        return False
    return True


def require_valid_log(platform: Platform, databases: Databases, organization_id: UUID) -> int:
    """Seal and verify the log, and return its length."""
    seal_audit_logs(databases.platform, now=AFTER)
    verified = verify_audit_log(databases.functions, platform.signer, organization_id)
    assert (verified.broken, verified.is_complete, verified.unsealed) == (None, True, 0)
    return verified.last.sequence


def test_replay_repeats_erasures_and_revocations(
    platform: Platform,
    databases: Databases,
    encryptor: Encryptor,
    acme: Provisioned,
    globex: Provisioned,
    tmp_path: Path,
) -> None:
    acme_id, globex_id = acme.organization.id, globex.organization.id
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(20), at=NOW)
        store(databases, provisioned.organization.id, range(20, 30), at=NOW, table="held_events", reason="quota")
    made = create_platform_key(databases.platform, encryptor, "x", None, OPERATOR, idempotency_key=None, now=NOW)
    create_platform_key(databases.platform, encryptor, "y", None, OPERATOR, idempotency_key=None, now=NOW)
    for number in range(40):  # so that the parts of the backup have been mutated later than a new table counts
        mutate(databases, number)
    seal_audit_logs(databases.platform, now=NOW)
    backup = Backup.take(databases, tmp_path)
    platform.delete(acme_id)
    platform.erase(acme_id)
    erasure_id = ask_erasure(databases, globex, SUBJECT, NOW)
    assert run_jobs(databases, NOW).erasures == 1
    revoke_key(databases.platform, platform.targets, globex_id, globex.write_key_id, OPERATOR, now=NOW)
    revoke_key_of_platform(databases.platform, new_register(), made.id, OPERATOR, now=NOW)

    with backup.restored() as restored:
        before = (column_of(restored, acme_id)["status"], count(restored, acme_id), is_live(restored, globex.write_key))
        length = verify_audit_log(restored.functions, platform.signer, globex_id).last.sequence
        done = run_replay(platform, restored, AFTER)

        assert before == ("active", 20, True)
        assert (done.organizations, done.subjects, done.keys) == (1, 1, 2)
        assert column_of(restored, acme_id)["status"] == "erased"
        assert not any(count_event_rows(restored.clickhouse, acme_id).values())
        assert list_all_tombstones(restored.clickhouse) == {acme_id}
        assert read_certificate(restored.platform, platform.signer, acme_id).are_valid
        assert SUBJECT not in devices(restored, globex) | devices(restored, globex, "held_events")
        assert (count(restored, globex_id), count(restored, globex_id, "held_events")) == (18, 9)
        assert erasure(restored, globex, erasure_id).status is ErasureStatus.ERASED
        assert not is_live(restored, globex.write_key)
        assert is_live(restored, globex.secret_key)
        assert not is_live(restored, acme.secret_key)
        assert require_valid_log(platform, restored, globex_id) > length
        assert require_valid_log(platform, restored, PLATFORM_LOG) > 0


def test_clickhouse_alone_is_restored(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned, tmp_path: Path
) -> None:
    """PostgreSQL has the erasures as done."""
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(20), at=NOW)
    backup = Backup.take(databases, tmp_path)
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)
    ask_erasure(databases, globex, SUBJECT, NOW)
    for days in (0, 1, 31):
        run_jobs(databases, NOW + timedelta(days=days))

    with backup.restored(with_postgres=False) as restored:
        before = count(restored, acme.organization.id)
        run_replay(platform, restored, AFTER)

        assert before == 20
        assert (count(restored, acme.organization.id), count(restored, globex.organization.id)) == (0, 18)


def test_rows_of_an_erased_organization_return_with_clickhouse(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned, tmp_path: Path
) -> None:
    """The register has no entry, because the organization was erased before the register began."""
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(20), at=NOW)
    backup = Backup.take(databases, tmp_path)
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)

    with backup.restored(with_postgres=False) as restored:
        restore_tombstones(restored.platform, restored.clickhouse)  # the hourly run was faster
        before = count(restored, acme.organization.id)
        done = run_replay(platform, restored, AFTER, RegisteredChanges())

        assert (before, done.organizations) == (20, 1)
        assert not any(count_event_rows(restored.clickhouse, acme.organization.id).values())
        assert count(restored, globex.organization.id) == 20
