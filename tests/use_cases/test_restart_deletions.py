"""Executions that were lost, or that nobody redrives, are started again by the sweep; those that run are left alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tenancy.stores.aws.executions import Executions, Progress
from tenancy.use_cases.deletion.erase import count_again
from tenancy.use_cases.deletion.restart_deletions import RestartedDeletions, restart_deletions
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, REGION, AwsAccount, Databases
from tests.handlers.functions import superuser
from tests.use_cases.erasing import PURGE, QUIET, Platform, executions_of

SOON, LATE = PURGE + timedelta(minutes=9), PURGE + timedelta(minutes=11)


@pytest.fixture
def executions(aws: AwsAccount) -> Executions:
    return Executions(REGION, aws.state_machine_arn)


def lose_effects(databases: Databases) -> None:
    """Let the start of the execution never have been owed: only the organization itself knows of its deletion."""
    with superuser(databases) as conn:
        conn.execute("DELETE FROM outbox")


def names(aws: AwsAccount) -> list[str]:
    return sorted(each["name"] for each in executions_of(aws.state_machine_arn))


def stop(aws: AwsAccount, name: str) -> None:
    client: Any = boto3.client("stepfunctions", region_name=REGION)
    arn = aws.state_machine_arn.replace(":stateMachine:", ":execution:")
    client.stop_execution(executionArn=f"{arn}:{name}")


@pytest.fixture
def lost(platform: Platform, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> Provisioned:
    """Return acme, deleted, without an execution: Step Functions has forgotten it."""
    with monkeypatch.context() as patch:
        patch.setattr(Executions, "start", lambda *_, **__: None)
        platform.delete(acme.organization.id)
    lose_effects(databases)
    return acme


def test_a_lost_execution_is_started_once_the_grace_is_over(
    platform: Platform, databases: Databases, aws: AwsAccount, lost: Provisioned
) -> None:
    for now, found in ((SOON, []), (LATE, [f"{lost.organization.id}-1-1"]), (LATE, [f"{lost.organization.id}-1-1"])):
        run = sweep(databases.platform, platform.redis, platform.targets, now=now)
        assert run is not None
        assert names(aws) == found
    assert executions_of(aws.state_machine_arn)[0]["purge_at"] == "2026-12-24T12:00:00Z"


def test_one_that_runs_is_left_alone_and_an_organization_without_a_deletion_has_none(
    platform: Platform,
    databases: Databases,
    aws: AwsAccount,
    executions: Executions,
    acme: Provisioned,
    globex: Provisioned,
) -> None:
    platform.delete(acme.organization.id)
    done = restart_deletions(databases.platform, executions, now=PURGE + timedelta(hours=2))
    assert done == RestartedDeletions(restarted=0, overdue=1, unchecked=0)
    assert names(aws) == [f"{acme.organization.id}-1-1"]
    found = executions.find(acme.organization.id, 1, attempt=1)
    assert found is not None
    assert found.progress is Progress.RUNNING
    assert executions.find(globex.organization.id, 1, attempt=1) is None


def test_one_that_failed_is_left_to_who_redrives_it_for_an_hour_then_two(
    platform: Platform, databases: Databases, aws: AwsAccount, executions: Executions, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    own = acme.organization.id
    with superuser(databases) as conn:  # moto's executions end now, by the real clock
        conn.execute("UPDATE organizations SET purge_at = now() - interval '1 day' WHERE id = %s", (own,))
    stop(aws, f"{own}-1-1")
    now = datetime.now(UTC)
    hours = ((0.5, 1), (1.1, 2), (1.2, 2))
    for hour, attempts in hours:
        restart_deletions(databases.platform, executions, now=now + timedelta(hours=hour))
        assert names(aws) == [f"{own}-1-{attempt + 1}" for attempt in range(attempts)]
    stop(aws, f"{own}-1-2")
    for hour, attempts in ((1.5, 2), (2.1, 3)):
        restart_deletions(databases.platform, executions, now=now + timedelta(hours=hour))
        assert len(names(aws)) == attempts


def test_one_that_was_never_counted_again_is_started_once_more(
    platform: Platform, databases: Databases, aws: AwsAccount, executions: Executions, lost: Provisioned
) -> None:
    platform.erase(lost.organization.id)
    erased_at = PURGE + QUIET
    for days, found in ((1.9, 0), (2.1, 1)):
        restart_deletions(databases.platform, executions, now=erased_at + timedelta(days=days))
        assert len(names(aws)) == found
    count_again(platform.erasure_stores, platform.signer, lost.organization.id, 1, now=erased_at + timedelta(days=3))
    stop(aws, f"{lost.organization.id}-1-1")
    done = restart_deletions(databases.platform, executions, now=datetime.now(UTC) + timedelta(days=90))
    assert done == RestartedDeletions(restarted=0, overdue=0, unchecked=0)


@pytest.mark.usefixtures("lost")
def test_a_restored_organization_has_nothing_to_restart(
    databases: Databases, aws: AwsAccount, executions: Executions
) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'active'")
    assert restart_deletions(databases.platform, executions, now=LATE) == RestartedDeletions(
        restarted=0, overdue=0, unchecked=0
    )
    assert names(aws) == []


@pytest.fixture
def both_lost(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> tuple[Provisioned, Provisioned]:
    """Return acme and globex, deleted in this order, both without an execution."""
    with monkeypatch.context() as patch:
        patch.setattr(Executions, "start", lambda *_, **__: None)
        for seconds, each in enumerate((acme, globex)):
            platform.delete(each.organization.id, now=NOW + timedelta(seconds=seconds))
    lose_effects(databases)
    return acme, globex


def test_one_that_cannot_be_checked_keeps_no_other_waiting_and_is_overdue_nevertheless(
    databases: Databases,
    aws: AwsAccount,
    executions: Executions,
    both_lost: tuple[Provisioned, Provisioned],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acme, globex = (each.organization.id for each in both_lost)
    call = vars(BaseClient)["_make_api_call"]

    def refused(client: BaseClient, operation: str, values: dict[str, Any]) -> object:
        if str(acme) in values.get("executionArn", ""):
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "…"}}, operation)
        return call(client, operation, values)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", refused)
        done = restart_deletions(databases.platform, executions, now=PURGE + timedelta(hours=2))
    assert done == RestartedDeletions(restarted=1, overdue=2, unchecked=1)
    assert names(aws) == [f"{globex}-1-1"]


@pytest.mark.usefixtures("both_lost")
def test_those_that_there_is_no_time_for_are_unchecked_and_overdue_nevertheless(
    databases: Databases, executions: Executions
) -> None:
    answers = iter([True])
    done = restart_deletions(
        databases.platform, executions, now=PURGE + timedelta(hours=2), has_time=lambda: next(answers, False)
    )
    assert done == RestartedDeletions(restarted=1, overdue=2, unchecked=1)
