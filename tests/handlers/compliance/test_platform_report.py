"""GET /v1/compliance/report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG, AuditOutcome
from tenancy.rules.tenant import CallerKind
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import OPERATOR as ACTOR
from tests.given import Databases, tenant_of
from tests.handlers.audit_requests import ALL_TIME, insert_records
from tests.handlers.compliance.reports import own_request, platform_report, platform_request
from tests.handlers.functions import Function, superuser
from tests.handlers.requests import answer_of, called_by, problem_of, sample, with_query

NOW = datetime.now(UTC)
INSERT_CERTIFICATE = """
    INSERT INTO deletion_certificates (id, organization_id, generation, issued_at, text, signature)
    VALUES (gen_random_uuid(), %s, 1, now(), '{}', ''::bytea)
"""


def test_page_of_the_platform_is_html(compliance: Function, acme: Provisioned) -> None:  # noqa: ARG001
    answer = answer_of(compliance(platform_request(format="html")))

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h2>Row level security</h2>" in answer.body


def test_organizations_do_not_read_the_platforms_report(compliance: Function, acme: Provisioned) -> None:
    request = called_by(with_query(sample("compliance", "report"), **ALL_TIME), tenant_of(acme))

    problem_of(compliance(request), request, 403, "forbidden")


def test_platforms_report_has_the_accesses_of_operators(
    compliance: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    person = replace(ACTOR, kind=CallerKind.PERSON, id=acme.admin_user_id)
    insert_records(databases, acme.organization.id, 1, action="GET /v1/organizations/{organization_id}/audit")
    insert_records(databases, globex.organization.id, 2, action="GET /v1/audit", actor=person)
    insert_records(
        databases,
        PLATFORM_LOG,
        1,
        actor=person,
        outcome=AuditOutcome.REFUSED,
        code="tenant_mismatch",
        target=f"path by organization {acme.organization.id}",
    )

    document = platform_report(compliance)

    access = document["access"]
    assert access["operators"]["count"] == 3  # two organizations were provisioned
    assert [each["organization_id"] for each in access["audit_reads"]["shown"]] == [str(acme.organization.id)]
    [mismatch] = document["mismatches"]["shown"]
    assert mismatch["target"] == f"path by organization {acme.organization.id}"


def test_deletions_have_certificates_and_deadlines(
    compliance: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute(
            "UPDATE organizations SET status = 'deleted', deleted_at = now() - interval '31 days', "
            "purge_at = now() - interval '1 day' WHERE id = %s",
            (acme.organization.id,),
        )
        conn.execute(
            "UPDATE organizations SET status = 'erased', deleted_at = now(), purge_at = now(), erased_at = now() "
            "WHERE id = %s",
            (globex.organization.id,),
        )
        conn.execute(INSERT_CERTIFICATE, (globex.organization.id,))

    deletions = platform_report(compliance)["deletions"]

    assert (deletions["count"], deletions["overdue"]) == (2, 1)
    late, erased = deletions["shown"]
    assert (late["organization_id"], late["is_overdue"], late["certificates"]) == (
        str(acme.organization.id),
        True,
        0,
    )
    assert (erased["status"], erased["certificates"], erased["is_overdue"]) == ("erased", 1, False)
    assert datetime.fromisoformat(erased["due_at"]) > NOW + timedelta(days=1)


def test_overdue_keys_are_listed_by_organization(
    compliance: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET key_rotation_days = 1 WHERE id = %s", (acme.organization.id,))
        conn.execute("UPDATE api_keys SET created_at = now() - interval '2 days'")
        conn.execute("UPDATE platform_keys SET created_at = now() - interval '91 days'")

    keys = platform_report(compliance)["keys"]

    [overdue] = keys["organizations"]["shown"]
    assert (overdue["organization_id"], overdue["keys"]) == (str(acme.organization.id), 2)
    assert {each["is_overdue"] for each in keys["platform"]["shown"]} == {True}
    assert str(globex.organization.id) not in str(keys)


def test_drift_is_that_of_measured_roll_ups(compliance: Function, databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute(
            "INSERT INTO roll_ups (started_at, finished_at, counter_drift, statistics_drift) "
            "VALUES (now(), now(), 3, 4), (now() - interval '1 second', now(), NULL, NULL)"
        )

    drift = platform_report(compliance)["drift"]

    assert drift == {"roll_ups": 2, "measured": 1, "counter_events": 3, "statistics_events": 4}


def test_slow_statement_is_503(
    audit: Function, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL also ends a statement that waits for a lock. The function continues to work."""
    monkeypatch.setattr("tenancy.use_cases.compliance.report_organization.REPORT_STATEMENT_SECONDS", 1)
    request = called_by(own_request(acme.organization.id), tenant_of(acme))
    with superuser(databases) as conn, conn.transaction():
        conn.execute("LOCK TABLE erasures")

        problem_of(audit(request), request, 503, "unavailable")

    assert answer_of(audit(request)).status == 200
