"""Accesses in reports of compliance: of one log, bounded, and complete only if the log has the period."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG, AuditOutcome
from tenancy.rules.compliance import MAX_SHOWN
from tenancy.rules.tenant import CallerKind
from tenancy.use_cases.audit.record_audit import record_messages
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import OPERATOR as ACTOR
from tests.given import AwsAccount, Databases
from tests.handlers.audit_requests import insert_records
from tests.handlers.compliance.reports import RESOURCE, own_report, platform_report
from tests.handlers.functions import Function, superuser
from tests.handlers.queues import messages_in

NOW = datetime.now(UTC)
INSERT_CHECKPOINT = """
    INSERT INTO audit_checkpoints (organization_id, sequence, seal, cut_before, signature)
    VALUES (%s, %s, decode(repeat('00', 32), 'hex'), %s, ''::bytea)
"""


def test_log_of_the_organization_alone_is_listed(
    audit: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    person = replace(ACTOR, kind=CallerKind.PERSON, id=acme.admin_user_id)
    insert_records(databases, acme.organization.id, 1, action="GET /v1/exports/{export_id}", actor=person)
    insert_records(databases, acme.organization.id, 2, action="GET /v1/audit", actor=person)
    insert_records(databases, globex.organization.id, 3, action="GET /v1/audit", actor=person)
    refused = {"outcome": AuditOutcome.REFUSED, "code": "tenant_mismatch", "target": "header, host"}
    insert_records(databases, acme.organization.id, 1, actor=person, **refused)

    document = own_report(audit, acme)

    access = document["access"]
    assert [access[name]["count"] for name in ("operators", "exports", "audit_reads")] == [1, 1, 2]
    assert access["operators"]["shown"][0]["action"] == "organization.provisioned"
    assert {each["organization_id"] for each in access["audit_reads"]["shown"]} == {str(acme.organization.id)}
    assert access["is_complete"] is True
    [mismatch] = document["mismatches"]["shown"]
    assert (mismatch["target"], mismatch["outcome"]) == ("header, host", "refused")


def test_read_of_a_report_by_a_key_is_in_the_next_one(
    audit: Function, aws: AwsAccount, databases: Databases, acme: Provisioned
) -> None:
    own_report(audit, acme)
    messages = messages_in(aws.audit_queue_url)
    record_messages(databases.platform, {message["MessageId"]: message["Body"] for message in messages})

    reads = own_report(audit, acme)["access"]["audit_reads"]

    assert reads["count"] == 1
    [read] = reads["shown"]
    assert (read["actor_kind"], read["actor_id"]) == ("key", str(acme.secret_key_id))
    assert read["action"] == f"GET /v1{RESOURCE}"


def test_other_period_has_no_entries(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, 2)

    document = own_report(audit, acme, from_="2020-01-01", to="2020-02-01")

    assert (document["from"], document["to"]) == ("2020-01-01", "2020-02-01")
    assert document["access"]["read_entries"] == 0
    assert document["access"]["operators"] == {"count": 0, "shown": []}


def test_long_lists_are_counted_and_cut(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, MAX_SHOWN + 5)

    operators = own_report(audit, acme)["access"]["operators"]

    assert operators["count"] == MAX_SHOWN + 6
    assert len(operators["shown"]) == MAX_SHOWN


def test_log_is_read_up_to_a_bound(
    audit: Function, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_records(databases, acme.organization.id, 5)
    for module in ("rules.compliance", "stores.postgres.compliance"):
        monkeypatch.setattr(f"tenancy.{module}.MAX_READ_ENTRIES", 3)

    access = own_report(audit, acme)["access"]

    assert (access["read_entries"], access["is_complete"], access["operators"]["count"]) == (3, False, 3)


def test_period_before_a_cut_is_not_complete(
    audit: Function, compliance: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    cut = NOW.replace(microsecond=0) - timedelta(days=400)
    with superuser(databases) as conn:
        for sequence, moment in ((1, cut - timedelta(days=1)), (2, cut)):
            conn.execute(INSERT_CHECKPOINT, (acme.organization.id, sequence, moment))
    later = {"from_": (cut + timedelta(days=1)).date().isoformat()}

    sections = [
        report[name]
        for report in (own_report(audit, acme), platform_report(compliance))
        for name in ("access", "mismatches")
    ]

    assert {(each["is_complete"], datetime.fromisoformat(each["entries_since"])) for each in sections} == {(False, cut)}
    assert own_report(audit, acme, **later)["access"]["is_complete"] is True
    assert platform_report(compliance, **later)["access"]["is_complete"] is True
    others = own_report(audit, globex)["access"]
    assert (others["is_complete"], others["entries_since"]) == (True, None)


def test_cut_of_the_platforms_log_is_shown(compliance: Function, databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_CHECKPOINT, (PLATFORM_LOG, 1, NOW - timedelta(days=400)))

    mismatches = platform_report(compliance)["mismatches"]

    assert mismatches["is_complete"] is False
