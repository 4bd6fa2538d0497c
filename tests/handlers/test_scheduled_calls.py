"""Calls of AWS by functions that no request reaches, which the tests of their use cases know from the inside."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest

from tenancy.rules.erasures import ErasureStatus
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import REGION, Databases
from tests.handlers.functions import Start, superuser
from tests.handlers.requests import OPERATOR, answer_of, called_by, sample
from tests.handlers.scheduled_sweep import EVERY_MINUTE, make_all_due
from tests.use_cases.audit_records import read, write
from tests.use_cases.dead_letters import bodies, drain, frame, message, row
from tests.use_cases.privacy_jobs import ask_erasure, erasure

pytestmark = pytest.mark.usefixtures("secrets")
INSERT_KEY_ENTRY = """
    INSERT INTO outbox (organization_id, kind, payload, due_at)
    SELECT id, %s, jsonb_build_object('value', gateway_key, 'tier', tier, 'plan', tier), now() FROM organizations
"""


def key_names() -> list[str]:
    return [str(key["name"]) for key in boto3.client("apigateway", region_name=REGION).get_api_keys()["items"]]


def test_privacy_jobs_erase_a_subject_from_dead_letters(start: Start, databases: Databases, acme: Provisioned) -> None:
    own, before = acme.organization.id, datetime.now(UTC) - timedelta(minutes=2)
    drain(
        databases, message(own, frame(row(own, "phone", at=before), row(own, "tablet", at=before)), received_at=before)
    )
    drain(databases, message(own, frame(row(own, "phone", at=before)), received_at=before))
    requested = ask_erasure(databases, acme, "phone", before + timedelta(minutes=1))

    start("privacy_jobs")(sample("privacy_jobs", "every_minute"))

    assert erasure(databases, acme, requested).status is ErasureStatus.ERASED
    assert len(bodies()) == 1


def test_roll_up_signs_the_checkpoint_of_a_cut_log(start: Start, databases: Databases, acme: Provisioned) -> None:
    now = datetime.now(UTC)
    write(databases, acme.organization.id, *(read(n, occurred_at=now - timedelta(days=900)) for n in range(4)))
    seal_audit_logs(databases.platform, now=now)

    result = start("roll_up")(sample("roll_up", "hourly"))

    assert result["audit_entries_pruned"] == 4


def test_sweep_creates_and_deletes_gateway_keys(start: Start, databases: Databases) -> None:
    created = answer_of(start("provision")(called_by(sample("provision", "create"), OPERATOR)))
    assert created.status == 201
    sweep, [name] = start("sweep"), key_names()
    for kind, expected in (("gateway_key_removal", []), ("gateway_key", [name])):
        with superuser(databases) as conn:
            conn.execute(INSERT_KEY_ENTRY, (kind,))
        make_all_due(databases)

        result = sweep(EVERY_MINUTE)

        assert kind in result["done"]
        assert key_names() == expected
