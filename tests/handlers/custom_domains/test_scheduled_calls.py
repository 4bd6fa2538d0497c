"""Custom domains in the functions that no request reaches: the sweep, the roll-up and the erasure."""

from datetime import UTC, datetime, timedelta

from moto.stepfunctions.models import stepfunctions_backends

from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.aws_account import ACCOUNT
from tests.given import OPERATOR, REGION, Databases
from tests.handlers.custom_domains.life import DOMAIN, Life
from tests.handlers.functions import Start
from tests.handlers.requests import sample
from tests.handlers.scheduled_sweep import EVERY_MINUTE
from tests.handlers.test_erase import run_state_machine

HOURLY = sample("roll_up", "hourly")
ZONE = "Z0123456789"


def test_sweep_starts_the_work_of_a_verified_claim(life: Life, start: Start, acme: Provisioned) -> None:
    machine = stepfunctions_backends[ACCOUNT][REGION].create_state_machine(
        name="serve-domain", definition="{}", roleArn=f"arn:aws:iam::{ACCOUNT}:role/serve-domain"
    )
    sweep = start("sweep", AWS_ENDPOINT_URL=life.aws.url, DOMAINS_MACHINE_ARN=machine.arn)
    life.set_records(life.claim(acme))
    assert life.call("verify", acme).status == 200
    life.clock.stop(sweep)

    result = sweep(EVERY_MINUTE)

    assert result["domains_started"] == 1
    assert len(machine.executions) == 1


def test_roll_up_checks_an_active_domain_and_its_certificate(life: Life, start: Start, acme: Provisioned) -> None:
    roll_up = start("roll_up", AWS_ENDPOINT_URL=life.aws.url)
    life.serve(acme)
    life.clock.advance(timedelta(days=8))
    life.clock.stop(roll_up)

    result = roll_up(HOURLY)

    assert (result["custom_domains_checked"], result["custom_domains_missing"]) == (1, 0)


def test_erasure_removes_the_domains_of_the_organization_alone(
    life: Life, start: Start, databases: Databases, targets: OutboxTargets, acme: Provisioned, globex: Provisioned
) -> None:
    erase = start("erase", AWS_ENDPOINT_URL=life.aws.url, HOSTED_ZONE_ID=ZONE)
    life.serve(acme)
    life.serve(globex, "data.globex.example")
    before, grace = datetime.now(UTC) - timedelta(days=31), timedelta(days=30)
    delete_organization(databases.platform, targets, acme.organization.id, "the end", OPERATOR, grace=grace, now=before)

    results = dict(run_state_machine(erase, acme))

    assert "Certify" in results
    assert DOMAIN not in life.aws.domain_names
    assert life.aws.resources == (1, 1, 1, 1)
