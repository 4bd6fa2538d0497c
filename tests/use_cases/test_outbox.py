"""Outbox entries run while there is time, and failed ones are retried or parked."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.ses.models import ses_backends

from tenancy.errors import UnavailableError
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import (
    LAST_ATTEMPT,
    OutboxBacklog,
    OutboxKind,
    OutboxTargets,
    find_outbox_backlog,
    run_due_entries,
)
from tests.given import API_URL, NOW, OPERATOR, PLANS_PATH, REGION, AwsAccount, Databases, new_organization
from tests.handlers.conftest import ACCOUNT
from tests.handlers.functions import Mails, superuser

MAIL = {"to": "admin@acme.example", "organization_name": "Acme"}


def enqueue(databases: Databases, provisioned: Provisioned, kind: str = "welcome_mail", payload: object = MAIL) -> None:
    with databases.platform.transaction() as conn:
        insert_outbox_entry(conn, provisioned.organization.id, kind, payload, due_at=NOW)  # type: ignore[arg-type]


def rows(databases: Databases) -> list[tuple[object, ...]]:
    with databases.platform.transaction() as conn:
        return conn.execute("SELECT kind, attempts, last_error, due_at FROM outbox ORDER BY id").fetchall()


@pytest.mark.parametrize("entries", [0, 1, 3])
def test_entries_run_only_while_there_is_time(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, mails: Mails, entries: int
) -> None:
    for _ in range(4):
        enqueue(databases, acme)
    before, sent = rows(databases), len(mails())
    answers = iter([True] * (entries + 1))

    outbox = run_due_entries(databases.platform, targets, now=NOW, has_time=lambda: next(answers, False))

    assert len(outbox.done) == len(mails()) - sent == entries
    assert rows(databases) == before[entries:]
    assert len(run_due_entries(databases.platform, targets, now=NOW).done) == 4 - entries


def test_welcome_mail_links_to_the_console_of_its_organization(
    databases: Databases, targets: OutboxTargets, acme: Provisioned
) -> None:
    """The payload of an earlier release is enough."""
    enqueue(databases, acme)

    run_due_entries(databases.platform, targets, now=NOW)

    text = ses_backends[ACCOUNT][REGION].sent_messages[-1].body
    assert f"\n{API_URL}/console/?organization={acme.organization.subdomain}\n" in text
    assert f"\nThe subdomain of your organization is {acme.organization.subdomain}. " in text


def refuse_mail(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Make SES refuse every mail with *code*. Moto itself refuses none."""
    call = vars(BaseClient)["_make_api_call"]

    def refused(client: BaseClient, operation: str, values: dict[str, object]) -> object:
        if operation == "SendEmail":
            raise ClientError({"Error": {"Code": code, "Message": "…"}}, operation)
        return call(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", refused)


def test_permanently_rejected_mail_is_parked_for_the_operator(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, mails: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(databases, acme)
    enqueue(databases, acme, OutboxKind.QUOTA_EVENT, {"metric": "events"})
    sent = len(mails())

    with monkeypatch.context() as patch:
        refuse_mail(patch, "BadRequestException")

        outbox = run_due_entries(databases.platform, targets, now=NOW)

        assert (outbox.done, outbox.failed) == (("quota_event",), ("welcome_mail",))
        assert run_due_entries(databases.platform, targets, now=NOW + timedelta(days=1000)).failed == ()

    with superuser(databases) as conn:
        assert conn.execute("SELECT kind, last_error FROM outbox WHERE due_at = 'infinity'").fetchall() == [
            ("welcome_mail", "SES rejected the mail permanently.")
        ]
        conn.execute("UPDATE outbox SET due_at = now(), attempts = 0 WHERE due_at = 'infinity'")

    assert run_due_entries(databases.platform, targets, now=datetime.now(UTC)).done == ("welcome_mail",)
    assert len(mails()) == sent + 1


@pytest.mark.parametrize(
    "code",
    ["MessageRejected", "SendingPausedException", "TooManyRequestsException", "MailFromDomainNotVerifiedException"],
)
def test_temporarily_rejected_mail_is_parked_after_a_day(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    enqueue(databases, acme)

    refuse_mail(monkeypatch, code)

    due = [NOW]
    for _ in range(LAST_ATTEMPT):
        assert run_due_entries(databases.platform, targets, now=due[-1]).failed == ("welcome_mail",)

        with databases.platform.transaction() as conn:
            [(due_at, error)] = conn.execute("SELECT nullif(due_at, 'infinity'), last_error FROM outbox").fetchall()
        assert code in error

        due.append(due_at)

    assert due[-1] is None
    assert timedelta(hours=20) < due[-2] - NOW < timedelta(hours=30)


def test_gateway_key_entry_is_retried_for_ever(databases: Databases, acme: Provisioned) -> None:
    targets = OutboxTargets(gateway_keys=GatewayKeys(REGION, "/where-no-plan-is"))
    value = f"organization-{acme.organization.id}-1"
    enqueue(databases, acme, OutboxKind.GATEWAY_KEY, {"value": value, "tier": "starter"})
    with superuser(databases) as conn:
        conn.execute("UPDATE outbox SET attempts = 10000")

    for hours in range(2):
        outbox = run_due_entries(databases.platform, targets, now=NOW + timedelta(hours=hours))
        assert outbox.failed == ("gateway_key",)


def test_backlog_counts_parked_entries_and_oldest_runnable_one(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    assert find_outbox_backlog(databases.platform, now=NOW) == OutboxBacklog(oldest=timedelta(), parked=0)

    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'deleted' WHERE id = %s", (globex.organization.id,))
        for provisioned, kind, hours, due_at in (
            (acme, "welcome_mail", 9, "infinity"),
            (globex, "export_mail", 8, "2026-11-24 12:00Z"),
            (globex, "deletion_mail", 3, "2026-11-24 13:00Z"),
            (acme, "quota_event", 2, "2026-11-24 12:00Z"),
        ):
            conn.execute(
                "INSERT INTO outbox (organization_id, kind, payload, created_at, due_at) VALUES (%s, %s, '{}', %s, %s)",
                (provisioned.organization.id, kind, NOW - timedelta(hours=hours), due_at),
            )

    assert find_outbox_backlog(databases.platform, now=NOW) == OutboxBacklog(oldest=timedelta(hours=3), parked=1)


def test_stale_gateway_key_entry_creates_no_second_key(
    databases: Databases, targets: OutboxTargets, aws: AwsAccount
) -> None:
    ssm, starter = boto3.client("ssm", region_name=REGION), f"{PLANS_PATH}/starter"
    ssm.delete_parameter(Name=starter)

    with pytest.raises(UnavailableError):
        provision_organization(databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW)

    ssm.put_parameter(Name=starter, Value=aws.plan_ids["starter"], Type="String")
    with databases.platform.transaction() as conn:
        [(organization_id,)] = conn.execute("SELECT id FROM organizations").fetchall()
        conn.execute("UPDATE outbox SET due_at = %s WHERE kind = 'gateway_key'", (NOW + timedelta(hours=1),))
    change = OrganizationChange(tier=Tier.GROWTH)
    keys = GatewayKeys(REGION, PLANS_PATH)

    change_organization(databases.platform, targets, keys, organization_id, change, actor=OPERATOR, now=NOW)

    assert "gateway_key_removal" in run_due_entries(databases.platform, targets, now=NOW + timedelta(minutes=5)).done
    assert run_due_entries(databases.platform, targets, now=NOW + timedelta(hours=1)).done == ("gateway_key",)
    assert keys.count_keys(organization_id) == 1

    gateway = boto3.client("apigateway", region_name=REGION)
    assert gateway.get_usage_plan_keys(usagePlanId=aws.plan_ids["starter"])["items"] == []
