"""Deletion, restore and erasure that die at any moment: retry, sweep or redrive end in the one right state."""

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
from tests.crash.deaths import deaths
from tests.given import NOW, OPERATOR, AwsAccount, Databases, new_organization, tenant_of
from tests.use_cases.admitting import known_of
from tests.use_cases.conftest import mails, platform, signer
from tests.use_cases.erasing import PURGE, Platform, column_of, executions_of
from tests.use_cases.storing import count as count_events
from tests.use_cases.storing import put

__all__ = ["mails", "platform", "signer"]  # fixtures that are shared with the use cases'

MINUTE = timedelta(minutes=1)
LATER = NOW + MINUTE
numbers = count()


def provision(platform: Platform) -> Provisioned:
    new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
    made = provision_organization(platform.databases.platform, platform.targets, new, OPERATOR, now=NOW)
    run_due_entries(platform.databases.platform, platform.targets, now=NOW)
    return made


@pytest.mark.parametrize("who_is_next", ["client", "sweep"])
def test_a_deletion_is_done_once_and_has_one_execution_whenever_it_died(
    platform: Platform, databases: Databases, aws: AwsAccount, aftermath: Aftermath, who_is_next: str
) -> None:
    admissions, died = AdmissionGate(platform.redis, lambda: databases.functions), 0

    def begin() -> Provisioned:
        made = provision(platform)
        assert admissions.admit(tenant_of(made), now=NOW).verdict is AdmissionVerdict.ADMITTED
        return made

    for death in deaths(begin, lambda made: platform.delete(made.organization.id)):
        own = death.state.organization.id
        left = column_of(databases, own)
        assert (left["status"], left["deletion_generation"]) in {("active", 0), ("deleted", 1)}, death
        if who_is_next == "sweep":
            sweep(databases.platform, platform.redis, platform.targets, now=LATER)
            assert known_of(databases, own)[0] == left["status"], death
            run_due_entries(databases.platform, platform.targets, now=NOW + 2 * OUTBOX_CLAIM_TIME)
            started = [each for each in executions_of(aws.state_machine_arn) if str(own) in each["name"]]
            assert len(started) == (left["status"] == "deleted"), death
        platform.delete(own, now=LATER)
        assert admissions.admit(tenant_of(death.state), now=LATER).verdict is AdmissionVerdict.INACTIVE, death
        run_due_entries(databases.platform, platform.targets, now=NOW + 4 * OUTBOX_CLAIM_TIME)
        assert column_of(databases, own)["deletion_generation"] == 1, death
        assert [each["name"] for each in executions_of(aws.state_machine_arn) if str(own) in each["name"]] == [
            f"{own}-1-1"
        ], death
        assert aftermath.owed(own) == [], death
        subjects = aftermath.mails_to(f"admin@{death.state.organization.subdomain}.example")
        assert 1 <= subjects.count(f"{death.state.organization.name} will be deleted") <= 2, death
        died += 1
    assert died > 15


def test_a_restore_is_whole_whenever_it_died(platform: Platform, databases: Databases, aftermath: Aftermath) -> None:
    admissions, died = AdmissionGate(platform.redis, lambda: databases.functions), 0

    def begin() -> Provisioned:
        made = provision(platform)
        platform.delete(made.organization.id)
        assert admissions.admit(tenant_of(made), now=NOW).verdict is AdmissionVerdict.INACTIVE
        return made

    def restore(made: Provisioned) -> None:
        restore_organization(databases.platform, platform.targets, made.organization.id, OPERATOR, now=LATER)

    for death in deaths(begin, restore):
        own = death.state.organization.id
        left = column_of(databases, own)
        assert (left["status"], left["purge_at"] is None) in {("active", True), ("deleted", False)}, death
        sweep(databases.platform, platform.redis, platform.targets, now=LATER + MINUTE)
        assert known_of(databases, own)[0] == left["status"], death
        with suppress(NotDeletedError):
            restore(death.state)
        assert column_of(databases, own)["status"] == "active", death
        assert admissions.admit(tenant_of(death.state), now=LATER).verdict is AdmissionVerdict.ADMITTED, death
        run_due_entries(databases.platform, platform.targets, now=NOW + 2 * OUTBOX_CLAIM_TIME)
        assert aftermath.owed(own) == [], death
        subjects = aftermath.mails_to(f"admin@{death.state.organization.subdomain}.example")
        assert subjects.count(f"{death.state.organization.name} was restored") == 1, death
        died += 1
    assert died > 8


def test_an_erasure_that_is_redriven_ends_in_one_certificate_whenever_it_died(
    platform: Platform, databases: Databases, aftermath: Aftermath, globex: Provisioned
) -> None:
    put(databases, globex.organization.id, range(3), at=NOW)
    died = 0

    def begin() -> Provisioned:
        made = provision(platform)
        put(databases, made.organization.id, range(2), at=NOW)
        platform.delete(made.organization.id)
        return made

    for death in deaths(begin, lambda made: platform.erase(made.organization.id)):
        own = death.state.organization.id
        assert column_of(databases, own)["status"] in {"deleted", "erasing", "erased"}, death
        counts = platform.erase(own)
        assert not any(rows for found in counts.values() for rows in found.values()), death
        row = column_of(databases, own)
        assert (row["status"], row["name"], row["last_contact"]) == ("erased", "erased", None), death
        with databases.platform.transaction() as conn:
            assert len(list_certificates(conn, own)) == 1, death
        assert aftermath.owed(own) == ["erased_mail"], death
        assert aftermath.gateway_keys(own) == [], death
        assert count_events(databases, own) == 0, death
        if death.is_last:
            assert {call.split()[0] for call in death.calls} == {"PostgreSQL", "ClickHouse", "Redis", "AWS"}
        died += 1
    assert count_events(databases, globex.organization.id) == 3
    assert died > 70


def test_a_second_count_is_signed_once_whenever_it_died(
    platform: Platform, databases: Databases, aftermath: Aftermath
) -> None:
    a_day_later, died = PURGE + timedelta(days=1), 0

    def begin() -> Provisioned:
        made = provision(platform)
        platform.delete(made.organization.id)
        platform.erase(made.organization.id)
        return made

    def count_once_more(made: Provisioned) -> None:
        count_again(platform.erasure_stores, platform.signer, made.organization.id, 1, now=a_day_later)

    for death in deaths(begin, count_once_more):
        own = death.state.organization.id
        count_once_more(death.state)
        with databases.platform.transaction() as conn:
            assert len(list_certificates(conn, own)) == 2, death
        assert aftermath.owed(own) == [], death
        died += 1
    assert died > 20
