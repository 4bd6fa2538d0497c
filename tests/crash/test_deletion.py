"""Deletion, restore and erasure that crash at any moment.

The retry, the sweep or the redrive reaches the same state.
"""

from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from tenancy.errors import NotDeletedError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.durations import OUTBOX_CLAIM_TIME
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.platform.deletions import list_certificates
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.deletion.delete import restore_organization
from tenancy.use_cases.deletion.erase import count_again
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import run_due_entries
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import Crash, crashes
from tests.given import NOW, OPERATOR, AwsAccount, Databases, new_organization, tenant_of
from tests.use_cases.admitting import cached_standing
from tests.use_cases.conftest import mails, platform, signer
from tests.use_cases.erasing import PURGE, Platform, column_of, executions_of
from tests.use_cases.storing import count as count_events
from tests.use_cases.storing import put

pytestmark = pytest.mark.exhaustive

__all__ = ["mails", "platform", "signer"]  # fixtures of the use cases' tests

MINUTE = timedelta(minutes=1)
LATER = NOW + MINUTE
numbers = count()


def provision(platform: Platform) -> Provisioned:
    new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
    acme = provision_organization(platform.databases.platform, platform.targets, new, OPERATOR, now=NOW)
    run_due_entries(platform.databases.platform, platform.targets, now=NOW)
    return acme


def execution_names(aws: AwsAccount, acme: Provisioned) -> list[str]:
    prefix = str(acme.organization.id)
    return [each["name"] for each in executions_of(aws.state_machine_arn) if each["name"].startswith(prefix)]


def count_mails(aftermath: Aftermath, acme: Provisioned, subject: str) -> int:
    organization = acme.organization
    subjects = aftermath.mails_to(f"admin@{organization.subdomain}.example")
    return subjects.count(f"{organization.name} {subject}")


@pytest.mark.parametrize("next_step", ["client", "sweep"])
def test_crashed_deletion_is_done_once_with_one_execution(
    platform: Platform, databases: Databases, aws: AwsAccount, aftermath: Aftermath, next_step: str
) -> None:
    gate, crashed = AdmissionGate(platform.redis, lambda: databases.functions), 0

    def begin() -> Provisioned:
        acme = provision(platform)
        assert gate.admit(tenant_of(acme), now=NOW).verdict is AdmissionVerdict.ADMITTED
        return acme

    for crash in crashes(begin, lambda acme: platform.delete(acme.organization.id)):
        acme = crash.state
        row = column_of(databases, acme.organization.id)
        assert (row["status"], row["deletion_generation"]) in {("active", 0), ("deleted", 1)}, crash
        if next_step == "sweep":
            require_swept(platform, aws, crash, status=row["status"])

        platform.delete(acme.organization.id, now=LATER)

        assert gate.admit(tenant_of(acme), now=LATER).verdict is AdmissionVerdict.INACTIVE, crash
        run_due_entries(databases.platform, platform.targets, now=NOW + 4 * OUTBOX_CLAIM_TIME)
        require_deleted_once(databases, aws, aftermath, crash)
        crashed += 1
    assert crashed > 5


def require_swept(platform: Platform, aws: AwsAccount, crash: Crash[Provisioned], *, status: str) -> None:
    """Require that the next sweep publishes *status* and starts the execution of a deletion."""
    platform_db = platform.databases.platform

    sweep(platform_db, platform.redis, platform.targets, now=LATER)

    assert cached_standing(platform.databases, crash.state.organization.id)[0] == status, crash
    run_due_entries(platform_db, platform.targets, now=NOW + 2 * OUTBOX_CLAIM_TIME)
    assert len(execution_names(aws, crash.state)) == (status == "deleted"), crash


def require_deleted_once(
    databases: Databases, aws: AwsAccount, aftermath: Aftermath, crash: Crash[Provisioned]
) -> None:
    organization_id = crash.state.organization.id
    assert column_of(databases, organization_id)["deletion_generation"] == 1, crash
    assert execution_names(aws, crash.state) == [f"{organization_id}-1-1"], crash
    assert aftermath.pending_kinds(organization_id) == [], crash
    assert 1 <= count_mails(aftermath, crash.state, "will be deleted") <= 2, crash


def test_crashed_restore_is_completed(platform: Platform, databases: Databases, aftermath: Aftermath) -> None:
    gate, crashed = AdmissionGate(platform.redis, lambda: databases.functions), 0

    def begin() -> Provisioned:
        acme = provision(platform)
        platform.delete(acme.organization.id)
        assert gate.admit(tenant_of(acme), now=NOW).verdict is AdmissionVerdict.INACTIVE
        return acme

    def restore(acme: Provisioned) -> None:
        restore_organization(databases.platform, platform.targets, acme.organization.id, OPERATOR, now=LATER)

    for crash in crashes(begin, restore):
        organization_id = crash.state.organization.id
        row = column_of(databases, organization_id)
        assert (row["status"], row["purge_at"] is None) in {("active", True), ("deleted", False)}, crash
        sweep(databases.platform, platform.redis, platform.targets, now=LATER + MINUTE)
        assert cached_standing(databases, organization_id)[0] == row["status"], crash

        with suppress(NotDeletedError):
            restore(crash.state)

        assert column_of(databases, organization_id)["status"] == "active", crash
        assert gate.admit(tenant_of(crash.state), now=LATER).verdict is AdmissionVerdict.ADMITTED, crash
        run_due_entries(databases.platform, platform.targets, now=NOW + 2 * OUTBOX_CLAIM_TIME)
        assert aftermath.pending_kinds(organization_id) == [], crash
        assert count_mails(aftermath, crash.state, "was restored") == 1, crash
        crashed += 1
    assert crashed > 2


def test_crashed_erasure_ends_in_one_certificate_when_redriven(
    platform: Platform, databases: Databases, aftermath: Aftermath, globex: Provisioned
) -> None:
    put(databases, globex.organization.id, range(3), at=NOW)
    crashed = 0

    def begin() -> Provisioned:
        acme = provision(platform)
        put(databases, acme.organization.id, range(2), at=NOW)
        platform.delete(acme.organization.id)
        return acme

    for crash in crashes(begin, lambda acme: platform.erase(acme.organization.id)):
        organization_id = crash.state.organization.id
        assert column_of(databases, organization_id)["status"] in {"deleted", "erasing", "erased"}, crash

        counts = platform.erase(organization_id)

        assert not any(rows for tables in counts.values() for rows in tables.values()), crash
        require_erased_once(databases, aftermath, crash)
        if crash.is_last:
            assert {call.split()[0] for call in crash.calls} == {"PostgreSQL", "ClickHouse", "Redis", "AWS"}
        crashed += 1
    assert count_events(databases, globex.organization.id) == 3
    assert crashed > 10


def require_erased_once(databases: Databases, aftermath: Aftermath, crash: Crash[Provisioned]) -> None:
    organization_id = crash.state.organization.id
    row = column_of(databases, organization_id)
    assert (row["status"], row["name"], row["last_contact"]) == ("erased", "erased", None), crash
    assert count_certificates(databases, crash.state) == 1, crash
    assert aftermath.pending_kinds(organization_id) == ["erased_mail"], crash
    assert aftermath.gateway_keys(organization_id) == [], crash
    assert count_events(databases, organization_id) == 0, crash


def count_certificates(databases: Databases, acme: Provisioned) -> int:
    with databases.platform.transaction() as conn:
        return len(list_certificates(conn, acme.organization.id))


def test_crashed_second_count_is_signed_once(platform: Platform, databases: Databases, aftermath: Aftermath) -> None:
    a_day_later, crashed = PURGE + timedelta(days=1), 0

    def begin() -> Provisioned:
        acme = provision(platform)
        platform.delete(acme.organization.id)
        platform.erase(acme.organization.id)
        return acme

    def count_once_more(acme: Provisioned) -> None:
        count_again(platform.erasure_stores, platform.signer, acme.organization.id, 1, now=a_day_later)

    for crash in crashes(begin, count_once_more):
        count_once_more(crash.state)

        assert count_certificates(databases, crash.state) == 2, crash
        assert aftermath.pending_kinds(crash.state.organization.id) == [], crash
        crashed += 1
    assert crashed > 3
