"""The sweep restarts lost and failed executions and leaves running ones alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from tenancy.errors import AwsCallError
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.executions import Executions, Progress
from tenancy.use_cases.deletion.erase import count_again
from tenancy.use_cases.deletion.restart_deletions import RestartedDeletions, restart_deletions
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, REGION, AwsAccount, Databases
from tests.handlers.functions import superuser
from tests.use_cases.erasing import PURGE, WRITER_WAIT, Platform, executions_of

BEFORE_RESTART, AFTER_RESTART = PURGE + timedelta(minutes=9), PURGE + timedelta(minutes=11)


@pytest.fixture
def executions(aws: AwsAccount) -> Executions:
    return Executions(AwsClient("states", REGION, aws.endpoint_url), aws.state_machine_arn)


def delete_outbox(databases: Databases) -> None:
    """Delete all outbox entries, so that only the row of the organization shows its deletion."""
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
    """Return acme, deleted, whose execution Step Functions has lost."""
    with monkeypatch.context() as patch:
        patch.setattr(Executions, "start", lambda *_, **__: None)
        platform.delete(acme.organization.id)
    delete_outbox(databases)
    return acme


def test_lost_execution_is_restarted_after_the_grace_period(
    platform: Platform, databases: Databases, aws: AwsAccount, lost: Provisioned
) -> None:
    for now, found in (
        (BEFORE_RESTART, []),
        (AFTER_RESTART, [f"{lost.organization.id}-1-1"]),
        (AFTER_RESTART, [f"{lost.organization.id}-1-1"]),
    ):
        run = sweep(databases.platform, platform.redis, platform.targets, now=now)
        assert run is not None
        assert names(aws) == found

    assert executions_of(aws.state_machine_arn)[0]["purge_at"] == "2026-12-24T12:00:00Z"


def test_running_execution_is_not_restarted(
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


def test_failed_execution_is_restarted_with_growing_backoff(
    platform: Platform, databases: Databases, aws: AwsAccount, executions: Executions, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    organization_id = acme.organization.id
    with superuser(databases) as conn:  # moto's executions end by the real clock
        conn.execute("UPDATE organizations SET purge_at = now() - interval '1 day' WHERE id = %s", (organization_id,))
    stop(aws, f"{organization_id}-1-1")

    now = datetime.now(UTC)

    hours = ((0.5, 1), (1.1, 2), (1.2, 2))
    for hour, attempts in hours:
        restart_deletions(databases.platform, executions, now=now + timedelta(hours=hour))
        assert names(aws) == [f"{organization_id}-1-{attempt + 1}" for attempt in range(attempts)]

    stop(aws, f"{organization_id}-1-2")
    now = datetime.now(UTC)

    for hour, attempts in ((1.5, 2), (2.1, 3)):
        restart_deletions(databases.platform, executions, now=now + timedelta(hours=hour))
        assert len(names(aws)) == attempts


def test_execution_without_a_recount_is_restarted(
    platform: Platform, databases: Databases, aws: AwsAccount, executions: Executions, lost: Provisioned
) -> None:
    platform.erase(lost.organization.id)

    erased_at = PURGE + WRITER_WAIT
    for days, found in ((1.9, 0), (2.1, 1)):
        restart_deletions(databases.platform, executions, now=erased_at + timedelta(days=days))
        assert len(names(aws)) == found

    count_again(platform.erasure_stores, platform.signer, lost.organization.id, 1, now=erased_at + timedelta(days=3))
    stop(aws, f"{lost.organization.id}-1-1")

    done = restart_deletions(databases.platform, executions, now=datetime.now(UTC) + timedelta(days=90))

    assert done == RestartedDeletions(restarted=0, overdue=0, unchecked=0)


@pytest.mark.usefixtures("lost")
def test_restored_organization_has_nothing_to_restart(
    databases: Databases, aws: AwsAccount, executions: Executions
) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'active'")

    assert restart_deletions(databases.platform, executions, now=AFTER_RESTART) == RestartedDeletions(
        restarted=0, overdue=0, unchecked=0
    )
    assert names(aws) == []


@pytest.fixture
def both_lost(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> tuple[Provisioned, Provisioned]:
    """Return acme and globex, deleted in this order, whose executions are lost."""
    with monkeypatch.context() as patch:
        patch.setattr(Executions, "start", lambda *_, **__: None)
        for seconds, each in enumerate((acme, globex)):
            platform.delete(each.organization.id, now=NOW + timedelta(seconds=seconds))
    delete_outbox(databases)
    return acme, globex


def test_unreadable_execution_does_not_block_the_others(
    databases: Databases,
    aws: AwsAccount,
    executions: Executions,
    both_lost: tuple[Provisioned, Provisioned],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acme, globex = (each.organization.id for each in both_lost)
    call = vars(AwsClient)["call"]

    def refused(client: AwsClient, target: str, values: dict[str, Any]) -> object:
        if str(acme) in values.get("executionArn", ""):
            raise AwsCallError("AccessDeniedException", "…")
        return call(client, target, values)

    with monkeypatch.context() as patch:
        patch.setattr(AwsClient, "call", refused)
        done = restart_deletions(databases.platform, executions, now=PURGE + timedelta(hours=2))

    assert done == RestartedDeletions(restarted=1, overdue=2, unchecked=1)
    assert names(aws) == [f"{globex}-1-1"]


@pytest.mark.usefixtures("both_lost")
def test_deletions_without_time_left_are_unchecked_and_overdue(databases: Databases, executions: Executions) -> None:
    answers = iter([True])

    done = restart_deletions(
        databases.platform, executions, now=PURGE + timedelta(hours=2), has_time=lambda: next(answers, False)
    )

    assert done == RestartedDeletions(restarted=1, overdue=2, unchecked=1)
