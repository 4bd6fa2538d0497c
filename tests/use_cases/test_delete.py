"""Deletion marks an organization at once and can be undone. Each deletion has one execution."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
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
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.executions import Executions
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.use_cases.deletion.delete import delete_organization, restore_organization
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.list_organizations import get_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.sweep import sweep
from tenancy.use_cases.usage.meter import record_usage
from tests.crash.crashes import process
from tests.given import NOW, OPERATOR, PLANS_PATH, REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.registers import new_register
from tests.use_cases.admitting import Admit
from tests.use_cases.erasing import GRACE, PURGE, Platform, column_of, executions_of, pending_entries

INSERT_USER = """
    INSERT INTO users (id, organization_id, email, role, status) VALUES (gen_random_uuid(), %s, %s, 'viewer', %s)
"""


def change(platform: Platform, provisioned: Provisioned, wanted: OrganizationChange) -> Organization:
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    databases = platform.databases
    return change_organization(
        databases.platform, platform.targets, gateway_keys, provisioned.organization.id, wanted, actor=OPERATOR, now=NOW
    ).organization


def restore(platform: Platform, provisioned: Provisioned) -> Organization:
    return restore_organization(
        platform.databases.platform,
        platform.targets,
        provisioned.organization.id,
        OPERATOR,
        now=NOW + timedelta(days=1),
    ).organization


def person_of(provisioned: Provisioned, *, epoch: str = "0.0") -> Tenant:
    return Tenant(
        organization_id=provisioned.organization.id,
        subdomain=provisioned.organization.subdomain,
        scopes=frozenset(),
        credential_id=provisioned.admin_user_id,
        kind=CallerKind.PERSON,
        epoch=epoch,
    )


def test_deletion_marks_the_organization_and_starts_execution(
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
    assert pending_entries(databases) == [("deletion_mail", "admin@acme.example")]
    assert get_organization(databases.platform, globex.organization.id) == globex.organization


def test_deletion_mails_every_active_user(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        for name, status in (("analyst", "active"), ("gone", "removed"), ("asked", "invited")):
            conn.execute(INSERT_USER, (acme.organization.id, f"{name}@acme.example", status))

    platform.delete(acme.organization.id)

    assert pending_entries(databases) == [
        ("deletion_mail", "admin@acme.example"),
        ("deletion_mail", "analyst@acme.example"),
    ]


def test_number_of_calls_does_not_grow_with_users(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        for number in range(40):
            conn.execute(INSERT_USER, (globex.organization.id, f"user-{number}@globex.example", "active"))
    calls = []

    for provisioned in (acme, globex):
        with process() as ran:
            platform.delete(provisioned.organization.id)
            restore(platform, provisioned)
        calls.append(len(ran.calls))

    assert calls[0] == calls[1]

    mailed = [address for kind, address in pending_entries(databases) if kind == "restored_mail"]
    assert (len(mailed), len(set(mailed))) == (42, 42)


def test_usage_report_does_not_wait_for_organization_lock(databases: Databases, acme: Provisioned) -> None:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    db = Database(lambda: f"{url}?options=-c%20lock_timeout%3D30s")

    with closing(db), databases.platform.tenant_transaction(acme.organization.id) as conn:
        lock_organization(conn, acme.organization.id)
        tenant = tenant_of(acme)
        assert record_usage(db, tenant, Metric.ML_PREDICTIONS, 1, idempotency_key=None, now=NOW).used == 1


def test_deletion_refuses_keys_and_people_at_once(platform: Platform, admit: Admit, acme: Provisioned) -> None:
    for caller in (tenant_of(acme), person_of(acme)):
        assert admit(caller).verdict is AdmissionVerdict.ADMITTED

    platform.delete(acme.organization.id)

    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.INACTIVE
    assert admit(person_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_restored_organization_keeps_keys_but_ends_tokens(
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
    assert ("restored_mail", "admin@acme.example") in pending_entries(databases)


def test_suspended_organization_is_restored_as_suspended(platform: Platform, acme: Provisioned) -> None:
    change(platform, acme, OrganizationChange(status=OrganizationStatus.SUSPENDED))

    platform.delete(acme.organization.id)

    assert restore(platform, acme).status is OrganizationStatus.SUSPENDED


def test_second_deletion_changes_nothing(platform: Platform, aws: AwsAccount, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    first = column_of(platform.databases, acme.organization.id)

    platform.delete(acme.organization.id, now=NOW + timedelta(days=3))

    assert column_of(platform.databases, acme.organization.id) == first
    assert len(executions_of(aws.state_machine_arn)) == 1


def test_deletion_after_a_restore_has_its_own_execution(platform: Platform, aws: AwsAccount, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)

    restore(platform, acme)

    assert platform.delete(acme.organization.id, now=NOW + timedelta(days=2)) == 2

    names = [each["name"] for each in executions_of(aws.state_machine_arn)]
    assert sorted(names) == [f"{acme.organization.id}-1-1", f"{acme.organization.id}-2-1"]


def test_deletion_and_restore_are_in_the_audit_log(platform: Platform, databases: Databases, acme: Provisioned) -> None:
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


def test_only_a_deleted_organization_can_be_restored(
    platform: Platform, acme: Provisioned, globex: Provisioned
) -> None:
    with pytest.raises(NotDeletedError):
        restore(platform, acme)

    platform.delete(globex.organization.id)
    platform.place_tombstones(globex.organization.id)

    with pytest.raises(ErasedError):
        restore(platform, globex)


def test_deleted_organization_cannot_be_changed(platform: Platform, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)

    for wanted in (OrganizationChange(status=OrganizationStatus.ACTIVE), OrganizationChange(tier=Tier.GROWTH)):
        with pytest.raises(TransitionNotAllowedError):
            change(platform, acme, wanted)


def test_unknown_organization_cannot_be_deleted(platform: Platform) -> None:
    with pytest.raises(NotFoundError):
        platform.delete(OPERATOR.id)


def test_sweep_starts_the_execution_that_failed_to_start(
    platform: Platform,
    databases: Databases,
    aws: AwsAccount,
    acme: Provisioned,
    monkeypatch: pytest.MonkeyPatch,
    nowhere: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform.targets.executions, "_aws", AwsClient("states", REGION, f"http://{nowhere}"))
        platform.delete(acme.organization.id)

    assert executions_of(aws.state_machine_arn) == []
    assert get_organization(databases.platform, acme.organization.id).status is OrganizationStatus.DELETED

    sweep(databases.platform, platform.redis, platform.targets, now=NOW + timedelta(minutes=1))
    assert len(executions_of(aws.state_machine_arn)) == 1


def delete_restore_or_change(platform: Platform, aws: AwsAccount, provisioned: Provisioned, number: int) -> None:
    """Run the transition of this *number* on connections of its own. It may be refused."""
    servers, organization_id = platform.databases.servers, provisioned.organization.id
    now = NOW + timedelta(seconds=number)
    url = servers.postgres_url(postgres.PLATFORM, platform.databases.name)
    executions = Executions(AwsClient("states", REGION, aws.endpoint_url), aws.state_machine_arn)
    targets = replace(platform.targets, register=new_register(), executions=executions)
    with closing(Database(lambda: url)) as db, suppress(Refusal):
        match number % 3:
            case 0:
                delete_organization(db, targets, organization_id, "race", OPERATOR, grace=GRACE, now=now)
            case 1:
                restore_organization(db, targets, organization_id, OPERATOR, now=now)
            case _:
                wanted = OrganizationChange(tier=Tier.GROWTH if number % 2 else Tier.ENTERPRISE)
                keys = GatewayKeys(REGION, PLANS_PATH)
                change_organization(db, platform.targets, keys, organization_id, wanted, actor=OPERATOR, now=now)


@pytest.mark.usefixtures("long_boto_timeouts")
def test_concurrent_transitions_end_in_a_consistent_state(
    platform: Platform, databases: Databases, aws: AwsAccount, acme: Provisioned
) -> None:
    """In any order, each deletion has one execution and the status fits the row."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: delete_restore_or_change(platform, aws, acme, number), range(30)))

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
