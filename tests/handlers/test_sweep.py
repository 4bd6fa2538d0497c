"""The sweep: pending outbox entries run once, audit logs are sealed, metrics are counted."""

import json
from datetime import timedelta
from uuid import uuid4

import boto3
import pytest

from tenancy.rules.durations import SWEEP_LEASE_TIME
from tenancy.stores.postgres.platform.leases import take_lease
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PLANS_PATH, REGION, SENDER, AwsAccount, Databases
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, LogLines, Mails, Start, superuser
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample
from tests.handlers.scheduled_sweep import EVERY_MINUTE, make_all_due
from tests.use_cases.audit_records import read, write


@pytest.fixture
def sweep(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("sweep")
    clock.stop(function)
    return function


@pytest.fixture
def provision(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("provision")
    clock.stop(function)
    return function


INSERT_ENTRY = """
    INSERT INTO outbox (organization_id, kind, payload, due_at) SELECT id, %s, %s::jsonb, now() FROM organizations
"""
INSERT_MAIL = """
    INSERT INTO outbox (organization_id, kind, payload, due_at, created_at)
    VALUES (%s, 'welcome_mail', '{}', %s, %s)
"""
NOTHING = {"ran": True, "done": [], "failed": []}


def outbox_result(answer: dict[str, object]) -> dict[str, object]:
    """Return the part of a sweep's result that is about the outbox."""
    return {name: answer[name] for name in ("ran", "done", "failed")}


def create_request() -> Event:
    return called_by(sample("provision", "create"), OPERATOR)


def delete_plan_parameters() -> None:
    boto3.client("ssm", region_name=REGION).delete_parameters(
        Names=[f"{PLANS_PATH}/{tier}" for tier in ("starter", "growth", "enterprise", "custom")]
    )


def put_plan_parameters(aws: AwsAccount) -> None:
    ssm = boto3.client("ssm", region_name=REGION)
    for tier, plan_id in aws.plan_ids.items():
        ssm.put_parameter(Name=f"{PLANS_PATH}/{tier}", Value=plan_id, Type="String", Overwrite=True)


def keys_in_plan(aws: AwsAccount) -> list[str]:
    gateway = boto3.client("apigateway", region_name=REGION)
    return [str(item["name"]) for item in gateway.get_usage_plan_keys(usagePlanId=aws.plan_ids["growth"])["items"]]


def pending_entries(databases: Databases) -> list[tuple[str, int, str | None]]:
    with databases.platform.transaction() as conn:
        return conn.execute("SELECT kind, attempts, last_error FROM outbox ORDER BY id").fetchall()


def test_gateway_key_joins_its_plan_on_a_later_sweep(
    provision: Function, sweep: Function, databases: Databases, aws: AwsAccount, mails: Mails
) -> None:
    delete_plan_parameters()
    request = create_request()

    problem = problem_of(provision(request), request, 503, "unavailable")

    assert problem["retry_after"] >= 30
    assert [kind for kind, _, _ in pending_entries(databases)] == ["welcome_mail", "gateway_key"]

    # The key is not due again yet. When it is due, it still has no plan.
    assert outbox_result(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["welcome_mail"], "failed": []}
    assert recipients(mails) == ["admin@acme.example"]

    make_all_due(databases)

    assert outbox_result(sweep(EVERY_MINUTE)) == {"ran": True, "done": [], "failed": ["gateway_key"]}
    [(kind, attempts, error)] = pending_entries(databases)
    assert (kind, attempts) == ("gateway_key", 2)
    assert error
    assert "acme" not in error.lower()
    assert keys_in_plan(aws) == []

    put_plan_parameters(aws)
    make_all_due(databases)

    assert outbox_result(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["gateway_key"], "failed": []}
    [key] = keys_in_plan(aws)
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT gateway_key, status FROM organizations").fetchall() == [(key, "active")]

    make_all_due(databases)

    assert outbox_result(sweep(EVERY_MINUTE)) == NOTHING
    assert len(mails()) == 1
    assert len(boto3.client("apigateway", region_name=REGION).get_api_keys()["items"]) == 1


def test_failed_welcome_mail_is_sent_once_by_a_later_sweep(
    provision: Function, sweep: Function, databases: Databases, mails: Mails
) -> None:
    ses = boto3.client("sesv2", region_name=REGION)
    ses.delete_email_identity(EmailIdentity=SENDER)
    assert answer_of(provision(create_request())).status == 201

    assert outbox_result(sweep(EVERY_MINUTE)) == {"ran": True, "done": [], "failed": ["welcome_mail"]}
    [(kind, _, error)] = pending_entries(databases)
    assert kind == "welcome_mail"
    assert error
    assert "@" not in error

    ses.create_email_identity(EmailIdentity=SENDER)
    make_all_due(databases)

    assert outbox_result(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["welcome_mail"], "failed": []}
    assert outbox_result(sweep(EVERY_MINUTE)) == NOTHING
    assert recipients(mails) == ["admin@acme.example"]


def test_failing_entry_does_not_block_the_others(
    provision: Function, sweep: Function, databases: Databases, mails: Mails, aws: AwsAccount
) -> None:
    delete_plan_parameters()
    assert answer_of(provision(create_request())).status == 503
    put_plan_parameters(aws)
    with superuser(databases) as conn:
        for kind, payload in (("unheard_of", "{}"), ("welcome_mail", "{}"), ("gateway_key", "{}")):
            conn.execute(INSERT_ENTRY, (kind, payload))
        conn.execute(INSERT_ENTRY, ("welcome_mail", '{"to": "admin@globex.example", "organization_name": "Globex"}'))
    make_all_due(databases)

    answer = sweep(EVERY_MINUTE)

    assert sorted(answer["done"]) == ["gateway_key", "welcome_mail", "welcome_mail"]
    assert sorted(answer["failed"]) == ["gateway_key", "unheard_of", "welcome_mail"]
    assert "admin@globex.example" in recipients(mails)
    assert len(keys_in_plan(aws)) == 1


def recipients(mails: Mails) -> list[str]:
    return [address for address, _ in mails()]


def metrics_in(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the metrics since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return {name: value[0] for line in lines for name, value in line.items() if isinstance(value, list)}


def test_parked_and_oldest_entries_are_metrics(
    sweep: Function,
    databases: Databases,
    acme: Provisioned,
    clock: StoppedClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert outbox_result(sweep(EVERY_MINUTE)) == NOTHING
    assert set(metrics_in(capsys).values()) == {0}

    hour = timedelta(hours=1)
    with superuser(databases) as conn:
        for due_at in ("infinity", "infinity", clock.moment + hour):
            conn.execute(INSERT_MAIL, (acme.organization.id, due_at, clock.moment - 2 * hour))

    assert outbox_result(sweep(EVERY_MINUTE)) == NOTHING
    found = metrics_in(capsys)
    assert (found["EffectsParked"], found["OldestEffectSeconds"]) == (2, 7200)


def test_concurrent_run_does_nothing(sweep: Function, databases: Databases, clock: StoppedClock) -> None:
    with databases.platform.transaction() as conn:
        assert take_lease(conn, "sweep", uuid4(), now=clock.moment, ends_at=clock.moment + SWEEP_LEASE_TIME)

    assert sweep(EVERY_MINUTE) == {"ran": False}

    clock.advance(SWEEP_LEASE_TIME)

    assert outbox_result(sweep(EVERY_MINUTE)) == NOTHING


def test_audit_logs_are_sealed_and_their_heads_logged(sweep: Function, acme: Provisioned, logged: LogLines) -> None:
    assert sweep(EVERY_MINUTE)["sealed"] == 1
    assert sweep(EVERY_MINUTE)["sealed"] == 0

    [witness] = [line for line in logged() if "seal" in line]
    assert (witness["organization_id"], witness["sequence"]) == (str(acme.organization.id), 1)
    assert len(bytes.fromhex(witness["seal"])) == 32


def test_failed_step_fails_the_run_after_the_other_steps(
    sweep: Function,
    databases: Databases,
    aws: AwsAccount,
    acme: Provisioned,
    globex: Provisioned,
    logged: LogLines,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(databases, acme.organization.id, read(0))
    sweep(EVERY_MINUTE)
    with superuser(databases) as conn:  # acme's head is behind its log, and globex was deleted without an execution
        conn.execute("UPDATE audit_heads SET sequence = 1 WHERE organization_id = %s", (acme.organization.id,))
        conn.execute(
            "UPDATE organizations SET status = 'deleted', deletion_generation = 1, deleted_at = now(), "
            "purge_at = now() - interval '1 day' WHERE id = %s",
            (globex.organization.id,),
        )
    for each in (acme, globex):
        write(databases, each.organization.id, read(1))
    capsys.readouterr()
    boto3.client("stepfunctions", region_name=REGION).delete_state_machine(stateMachineArn=aws.state_machine_arn)

    with pytest.raises(ExceptionGroup) as failed:
        sweep(EVERY_MINUTE)

    assert len(failed.value.exceptions) == 1
    found = metrics_in(capsys)
    sealed, swept, error = logged()[-3:]
    assert sealed["organization_id"] == str(globex.organization.id)
    assert swept["result"]["sealed"] == 1
    assert error["level"] == "ERROR"
    assert (found["DeletionsOverdue"], found["DeletionsNotChecked"]) == (1, 1)
