"""Deletion marks an organization at once and can be undone; each deletion has one execution, whatever dies or races."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from scripts.stack import postgres
from tenancy.errors import ErasedError, NotDeletedError, NotFoundError, Refusal, TransitionNotAllowedError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.quotas import Metric
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.use_cases.deletion.delete import delete_organization, restore_organization
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.list_organizations import get_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.sweep import sweep
from tenancy.use_cases.usage.meter import record_usage
from tests.crash.deaths import process
from tests.given import NOW, OPERATOR, PLANS_PATH, REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import Admit
from tests.use_cases.erasing import GRACE, PURGE, Platform, column_of, executions_of, owed

INSERT_USER = """
    INSERT INTO users (id, organization_id, email, role, status) VALUES (gen_random_uuid(), %s, %s, 'viewer', %s)
"""


def change(platform: Platform, made: Provisioned, wanted: OrganizationChange) -> Organization:
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    databases = platform.databases
    return change_organization(
        databases.platform, platform.targets, gateway_keys, made.organization.id, wanted, actor=OPERATOR, now=NOW
    ).organization


def restore(platform: Platform, made: Provisioned) -> Organization:
    return restore_organization(
        platform.databases.platform, platform.targets, made.organization.id, OPERATOR, now=NOW + timedelta(days=1)
    ).organization


def person_of(made: Provisioned, *, epoch: str = "0.0") -> Tenant:
    return Tenant(
        organization_id=made.organization.id,
        subdomain=made.organization.subdomain,
        tier=made.organization.tier,
        scopes=frozenset(),
        credential_id=made.admin_user_id,
        kind=CallerKind.PERSON,
        epoch=epoch,
    )


def test_a_deletion_is_marked_and_owed(
    platform: Platform, databases: Databases, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    deleted = get_organization(databases.platform, acme.organization.id)
    assert (deleted.status, deleted.deleted_at, deleted.purge_at) == (OrganizationStatus.DELETED, NOW, NOW + GRACE)
    assert deleted.deletion_reason == "the end"
    assert executions_of(aws.state_machine_arn) == [
        {
            "name": f"{acme.organization.id}-1-1",
            "organization_id": str(acme.organization.id),
            "generation": 1,
            "purge_at": "2026-12-24T12:00:00Z",
        }
    ]
    assert owed(databases) == [("deletion_mail", "admin@acme.example")]
    assert get_organization(databases.platform, globex.organization.id) == globex.organization


def test_every_active_user_is_mailed(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        for name, status in (("analyst", "active"), ("gone", "removed"), ("asked", "invited")):
            conn.execute(INSERT_USER, (acme.organization.id, f"{name}@acme.example", status))
    platform.delete(acme.organization.id)
    assert owed(databases) == [("deletion_mail", "admin@acme.example"), ("deletion_mail", "analyst@acme.example")]


def test_an_organization_of_many_users_is_deleted_and_restored_in_as_many_calls_as_one_of_a_few(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        for number in range(40):
            conn.execute(INSERT_USER, (globex.organization.id, f"user-{number}@globex.example", "active"))
    calls = []
    for made in (acme, globex):
        with process() as ran:
            platform.delete(made.organization.id)
            restore(platform, made)
        calls.append(len(ran.calls))
    assert calls[0] == calls[1]
    mailed = [address for kind, address in owed(databases) if kind == "restored_mail"]
    assert (len(mailed), len(set(mailed))) == (42, 42)


def test_nobody_who_reports_usage_waits_for_a_change_of_the_organization(
    databases: Databases, acme: Provisioned
) -> None:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    impatient = Database(lambda: f"{url}?options=-c%20lock_timeout%3D500ms")
    with closing(impatient), databases.platform.tenant_transaction(acme.organization.id) as conn:
        lock_organization(conn, acme.organization.id)
        tenant = tenant_of(acme)
        assert record_usage(impatient, tenant, Metric.ML_PREDICTIONS, 1, idempotency_key=None, now=NOW).used == 1


def test_people_and_keys_are_out_at_once_although_redis_knew_them(
    platform: Platform, admit: Admit, acme: Provisioned
) -> None:
    for caller in (tenant_of(acme), person_of(acme)):
        assert admit(caller).verdict is AdmissionVerdict.ADMITTED
    platform.delete(acme.organization.id)
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.INACTIVE
    assert admit(person_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_a_restored_organization_has_the_same_keys_and_its_people_log_in_again(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        keys = conn.execute("SELECT * FROM api_keys ORDER BY id").fetchall()
    platform.delete(acme.organization.id)
    restored = restore(platform, acme)
    assert (restored.status, restored.deleted_at, restored.purge_at, restored.deletion_reason) == (
        OrganizationStatus.ACTIVE, None, None, None,
    )  # fmt: skip
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.ADMITTED
    assert admit(person_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED
    assert admit(person_of(acme, epoch="1.0")).verdict is AdmissionVerdict.ADMITTED
    with superuser(databases) as conn:
        assert conn.execute("SELECT * FROM api_keys ORDER BY id").fetchall() == keys
    assert ("restored_mail", "admin@acme.example") in owed(databases)


def test_a_suspended_organization_is_restored_to_its_suspension(platform: Platform, acme: Provisioned) -> None:
    change(platform, acme, OrganizationChange(status=OrganizationStatus.SUSPENDED))
    platform.delete(acme.organization.id)
    assert restore(platform, acme).status is OrganizationStatus.SUSPENDED


def test_a_second_deletion_changes_nothing(platform: Platform, aws: AwsAccount, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    first = column_of(platform.databases, acme.organization.id)
    platform.delete(acme.organization.id, now=NOW + timedelta(days=3))
    assert column_of(platform.databases, acme.organization.id) == first
    assert len(executions_of(aws.state_machine_arn)) == 1


def test_a_deletion_after_a_restore_is_another_one(platform: Platform, aws: AwsAccount, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    restore(platform, acme)
    assert platform.delete(acme.organization.id, now=NOW + timedelta(days=2)) == 2
    names = [each["name"] for each in executions_of(aws.state_machine_arn)]
    assert sorted(names) == [f"{acme.organization.id}-1-1", f"{acme.organization.id}-2-1"]


def test_every_transition_is_on_record(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    restore(platform, acme)
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        statement = "SELECT action, target, actor_id FROM audit_log WHERE action <> 'organization.provisioned'"
        found = conn.execute(statement).fetchall()
    target = str(acme.organization.id)
    assert sorted(found) == [
        ("organization.deleted", target, OPERATOR.id),
        ("organization.restored", target, OPERATOR.id),
    ]


def test_what_is_not_deleted_cannot_be_restored(platform: Platform, acme: Provisioned, globex: Provisioned) -> None:
    with pytest.raises(NotDeletedError):
        restore(platform, acme)
    platform.delete(globex.organization.id)
    platform.close(globex.organization.id)
    with pytest.raises(ErasedError):
        restore(platform, globex)


def test_a_deleted_organization_is_not_changed(platform: Platform, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    for wanted in (OrganizationChange(status=OrganizationStatus.ACTIVE), OrganizationChange(tier=Tier.GROWTH)):
        with pytest.raises(TransitionNotAllowedError):
            change(platform, acme, wanted)


def test_nobody_can_be_deleted(platform: Platform) -> None:
    with pytest.raises(NotFoundError):
        platform.delete(OPERATOR.id)


def test_without_step_functions_the_deletion_is_owed_and_the_sweep_starts_it(
    platform: Platform,
    databases: Databases,
    aws: AwsAccount,
    acme: Provisioned,
    monkeypatch: pytest.MonkeyPatch,
    nowhere: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tenancy.stores.aws.executions._client", client_at(nowhere))
        platform.delete(acme.organization.id)
    assert executions_of(aws.state_machine_arn) == []
    assert get_organization(databases.platform, acme.organization.id).status is OrganizationStatus.DELETED
    sweep(databases.platform, platform.redis, platform.targets, now=NOW + timedelta(minutes=1))
    assert len(executions_of(aws.state_machine_arn)) == 1


def client_at(address: str) -> Callable[[str], object]:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=0.2, read_timeout=0.2, retries={"total_max_attempts": 1})
    return lambda region: boto3.client(
        "stepfunctions", region_name=region, endpoint_url=f"http://{address}", config=config
    )


def test_thirty_deletions_restores_and_changes_at_once_end_in_one_of_their_states(
    platform: Platform, databases: Databases, aws: AwsAccount, acme: Provisioned
) -> None:
    """Whatever the order was: as many executions as deletions, a status that fits, nothing half done."""
    servers = databases.servers

    def act(number: int) -> None:
        db = Database(lambda: servers.postgres_url(postgres.PLATFORM, databases.name))
        own = acme.organization.id
        now = NOW + timedelta(seconds=number)
        try:
            with suppress(Refusal):
                match number % 3:
                    case 0:
                        arguments = (db, platform.targets, own, "race", OPERATOR)
                        delete_organization(*arguments, grace=GRACE, now=now)
                    case 1:
                        restore_organization(db, platform.targets, own, OPERATOR, now=now)
                    case _:
                        tier = Tier.GROWTH if number % 2 else Tier.ENTERPRISE
                        wanted = OrganizationChange(tier=tier)
                        keys = GatewayKeys(REGION, PLANS_PATH)
                        change_organization(db, platform.targets, keys, own, wanted, actor=OPERATOR, now=now)
        finally:
            db.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(30)))
    sweep(databases.platform, platform.redis, platform.targets, now=NOW + timedelta(hours=1))
    row = column_of(databases, acme.organization.id)
    assert row["status"] in {"active", "deleted"}
    assert (row["status"] == "deleted") == (row["purge_at"] is not None) == (row["status_before_deletion"] is not None)
    started = sorted(each["generation"] for each in executions_of(aws.state_machine_arn))
    assert started == list(range(1, row["deletion_generation"] + 1))
    platform.delete(acme.organization.id, now=NOW + timedelta(hours=2))
    generation = column_of(databases, acme.organization.id)["deletion_generation"]
    counts = platform.erase(acme.organization.id, generation, now=PURGE + timedelta(days=1))
    assert all(not any(found.values()) for found in counts.values())
