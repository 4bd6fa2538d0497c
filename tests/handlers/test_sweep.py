"""The sweep finishes what a request could not: keys join their plans, mail goes out, each once."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import boto3
import pytest

from tenancy.stores.postgres.platform.leases import take_lease
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PLANS_PATH, REGION, SENDER, AwsAccount, Databases
from tests.handlers.functions import Function, LogLines, Mails, Start, superuser
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample
from tests.use_cases.audit_records import read, write


@pytest.fixture
def sweep(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("sweep")


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


EVERY_MINUTE = sample("sweep", "every_minute")
NOTHING = {"ran": True, "done": [], "failed": []}


def entries(answer: dict[str, object]) -> dict[str, object]:
    """Leave out what else a sweep does."""
    return {name: answer[name] for name in ("ran", "done", "failed")}


def create() -> Event:
    return called_by(sample("provision", "create"), OPERATOR)


def take_away_plans() -> None:
    boto3.client("ssm", region_name=REGION).delete_parameters(
        Names=[f"{PLANS_PATH}/{tier}" for tier in ("starter", "growth", "enterprise")]
    )


def note_plans(aws: AwsAccount) -> None:
    ssm = boto3.client("ssm", region_name=REGION)
    for tier, plan_id in aws.plan_ids.items():
        ssm.put_parameter(Name=f"{PLANS_PATH}/{tier}", Value=plan_id, Type="String", Overwrite=True)


def keys_in_plan(aws: AwsAccount) -> list[str]:
    gateway = boto3.client("apigateway", region_name=REGION)
    return [str(item["name"]) for item in gateway.get_usage_plan_keys(usagePlanId=aws.plan_ids["growth"])["items"]]


def make_all_due(databases: Databases) -> None:
    """Let the time pass after which a failed effect is tried again."""
    with superuser(databases) as conn:
        conn.execute("UPDATE outbox SET due_at = now() - interval '1 second'")


def owed(databases: Databases) -> list[tuple[str, int, str | None]]:
    with databases.platform.transaction() as conn:
        return conn.execute("SELECT kind, attempts, last_error FROM outbox ORDER BY id").fetchall()


def test_with_nothing_owed_nothing_is_done(sweep: Function) -> None:
    assert entries(sweep(EVERY_MINUTE)) == NOTHING


def test_the_administrator_is_welcomed_once(
    provision: Function, sweep: Function, databases: Databases, mails: Mails
) -> None:
    assert answer_of(provision(create())).status == 201
    assert [kind for kind, _, _ in owed(databases)] == ["welcome_mail"]
    assert entries(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["welcome_mail"], "failed": []}
    assert entries(sweep(EVERY_MINUTE)) == NOTHING
    assert mails() == [("admin@acme.example", "Welcome, Acme")]


def test_a_key_that_found_no_plan_joins_it_later_and_the_mail_goes_out_once(
    provision: Function, sweep: Function, databases: Databases, aws: AwsAccount, mails: Mails
) -> None:
    take_away_plans()
    request = create()
    problem = problem_of(provision(request), request, 503, "unavailable")
    assert problem["retry_after"] >= 30
    assert [kind for kind, _, _ in owed(databases)] == ["welcome_mail", "gateway_key"]

    # The key is not yet due again, and then still without a plan.
    assert entries(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["welcome_mail"], "failed": []}
    assert mails() == [("admin@acme.example", "Welcome, Acme")]
    make_all_due(databases)
    assert entries(sweep(EVERY_MINUTE)) == {"ran": True, "done": [], "failed": ["gateway_key"]}
    [(kind, attempts, error)] = owed(databases)
    assert (kind, attempts) == ("gateway_key", 2)
    assert error
    assert "acme" not in error.lower()
    assert keys_in_plan(aws) == []

    note_plans(aws)
    make_all_due(databases)
    assert entries(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["gateway_key"], "failed": []}
    [key] = keys_in_plan(aws)
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT gateway_key, status FROM organizations").fetchall() == [(key, "active")]
    make_all_due(databases)
    assert entries(sweep(EVERY_MINUTE)) == NOTHING
    assert len(mails()) == 1
    assert len(boto3.client("apigateway", region_name=REGION).get_api_keys()["items"]) == 1


def test_a_mail_that_could_not_be_sent_does_not_fail_provisioning_and_goes_out_later(
    provision: Function, sweep: Function, databases: Databases, mails: Mails
) -> None:
    ses = boto3.client("sesv2", region_name=REGION)
    ses.delete_email_identity(EmailIdentity=SENDER)
    assert answer_of(provision(create())).status == 201
    assert entries(sweep(EVERY_MINUTE)) == {"ran": True, "done": [], "failed": ["welcome_mail"]}
    [(kind, _, error)] = owed(databases)
    assert kind == "welcome_mail"
    assert error
    assert "@" not in error
    ses.create_email_identity(EmailIdentity=SENDER)
    make_all_due(databases)
    assert entries(sweep(EVERY_MINUTE)) == {"ran": True, "done": ["welcome_mail"], "failed": []}
    assert entries(sweep(EVERY_MINUTE)) == NOTHING
    assert mails() == [("admin@acme.example", "Welcome, Acme")]


def test_one_effect_that_cannot_be_done_does_not_hold_up_the_others(
    provision: Function, sweep: Function, databases: Databases, mails: Mails, aws: AwsAccount
) -> None:
    take_away_plans()
    assert answer_of(provision(create())).status == 503
    note_plans(aws)
    with superuser(databases) as conn:
        for kind, payload in (("unheard_of", "{}"), ("welcome_mail", "{}"), ("gateway_key", "{}")):
            conn.execute(
                "INSERT INTO outbox (organization_id, kind, payload, due_at) "
                "SELECT id, %s, %s::jsonb, now() - interval '1 hour' FROM organizations",
                (kind, payload),
            )
        conn.execute(
            "INSERT INTO outbox (organization_id, kind, payload, due_at) "
            "SELECT id, 'welcome_mail', %s::jsonb, now() - interval '1 hour' FROM organizations",
            ('{"to": "admin@globex.example", "organization_name": "Globex"}',),
        )
    make_all_due(databases)
    answer = sweep(EVERY_MINUTE)
    assert sorted(answer["done"]) == ["gateway_key", "welcome_mail", "welcome_mail"]
    assert sorted(answer["failed"]) == ["gateway_key", "unheard_of", "welcome_mail"]
    assert ("admin@globex.example", "Welcome, Globex") in mails()
    assert len(keys_in_plan(aws)) == 1


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the metrics that were counted since."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return {name: value[0] for line in lines for name, value in line.items() if isinstance(value, list)}


def test_what_is_parked_and_how_old_the_oldest_effect_is_are_metrics(
    sweep: Function, databases: Databases, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entries(sweep(EVERY_MINUTE)) == NOTHING
    assert metrics(capsys) == {"OldestEffectSeconds": 0}
    with superuser(databases) as conn:
        for due_at in ("infinity", "infinity", datetime.now(UTC) + timedelta(hours=1)):
            conn.execute(
                "INSERT INTO outbox (organization_id, kind, payload, due_at, created_at) "
                "VALUES (%s, 'welcome_mail', '{}', %s, now() - interval '2 hours')",
                (acme.organization.id, due_at),
            )
    assert entries(sweep(EVERY_MINUTE)) == NOTHING
    found = metrics(capsys)
    assert found["EffectsParked"] == 2
    assert 7190 < found["OldestEffectSeconds"] < 7300


def test_two_at_once_are_one(sweep: Function, databases: Databases) -> None:
    now = datetime.now(UTC)
    with databases.platform.transaction() as conn:
        assert take_lease(conn, "sweep", uuid4(), now=now, ends_at=now + timedelta(minutes=2))
    assert sweep(EVERY_MINUTE) == {"ran": False}
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE leases SET ends_at = now() - interval '1 second'")
    assert entries(sweep(EVERY_MINUTE)) == NOTHING


def test_logs_are_sealed_and_their_heads_logged(sweep: Function, acme: Provisioned, logged: LogLines) -> None:
    assert sweep(EVERY_MINUTE)["sealed"] == 1
    assert sweep(EVERY_MINUTE)["sealed"] == 0
    [witness] = [line for line in logged() if line["message"] == "sealed"]
    assert (witness["organization_id"], witness["sequence"]) == (str(acme.organization.id), 1)
    assert len(bytes.fromhex(witness["seal"])) == 32


def test_a_step_that_failed_fails_the_run_when_the_others_are_done_and_measured(
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
    lines = [(line["level"], line["message"]) for line in logged()]
    assert [message for _, message in lines[-3:]] == ["sealed", "swept", "a step failed"]
    found = metrics(capsys)
    assert (found["DeletionsOverdue"], found["DeletionsNotChecked"]) == (1, 1)
