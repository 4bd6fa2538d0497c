"""GET /v1/compliance/report and GET /v1/organizations/{id}/compliance/report."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, override
from uuid import UUID, uuid4

import pytest

from tenancy.gateway.report_page import STYLE, STYLE_DIGEST
from tenancy.rules.audit_record import PLATFORM_LOG, AuditOutcome
from tenancy.rules.compliance import MAX_SHOWN
from tenancy.rules.permissions import AUDIT_READ, PERMISSIONS
from tenancy.rules.tenant import CallerKind
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import OPERATOR as ACTOR
from tests.given import Databases, tenant_of
from tests.handlers.audit_requests import ALL_TIME, insert_records
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample, with_path, with_query

NOW = datetime.now(UTC)
RESOURCE = "/organizations/{organization_id}/compliance/report"
INSERT_CERTIFICATE = """
    INSERT INTO deletion_certificates (id, organization_id, generation, issued_at, text, signature)
    VALUES (gen_random_uuid(), %s, 1, now(), '{}', ''::bytea)
"""


class Tags(HTMLParser):
    """The names of the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture
def audit(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("audit")


@pytest.fixture
def compliance(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("compliance")


def own_request(organization_id: UUID, **query: str) -> Event:
    request = with_path(sample("audit", "report"), f"/organizations/{organization_id}/compliance/report", RESOURCE)
    return with_query({**request, "pathParameters": {"organization_id": str(organization_id)}}, **ALL_TIME | query)


def own_report(audit: Function, provisioned: Provisioned, **query: str) -> dict[str, Any]:
    request = own_request(provisioned.organization.id, **query)
    answer = answer_of(audit(called_by(request, tenant_of(provisioned))))
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.document
    return document


def platform_request(**query: str) -> Event:
    return called_by(with_query(sample("compliance", "report"), **ALL_TIME | query), OPERATOR)


def platform_report(compliance: Function, **query: str) -> dict[str, Any]:
    answer = answer_of(compliance(platform_request(**query)))
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.document
    return document


def settings_of(settings: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    return {(each["subject"], each["aspect"]): (each["state"], each["detail"]) for each in settings}


def test_row_level_security_is_that_of_the_catalog(
    audit: Function, compliance: Function, databases: Databases, acme: Provisioned
) -> None:
    before = own_report(audit, acme)["row_level_security"]
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE apps NO FORCE ROW LEVEL SECURITY")

    own, all_of_them = own_report(audit, acme), platform_report(compliance)

    assert before["unprotected"] == []
    assert before["protected"] == len(before["tables"]) > 30
    [keys] = [each for each in before["tables"] if each["table"] == "api_keys"]
    assert (keys["is_enabled"], keys["is_forced"]) == (True, True)
    assert "tenancy_functions" in {role for policy in keys["policies"] for role in policy["roles"]}
    assert own["row_level_security"]["unprotected"] == ["apps"]
    assert all_of_them["row_level_security"] == own["row_level_security"]


def test_settings_are_those_that_aws_shows(audit: Function, acme: Provisioned, aws: Any) -> None:  # noqa: ANN401 - moto's account
    import boto3  # noqa: PLC0415 - of this test alone

    region = {"region_name": "eu-central-1", "endpoint_url": aws.endpoint_url}
    boto3.client("s3", **region).put_bucket_encryption(
        Bucket=aws.exports_bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )
    boto3.client("s3", **region).put_bucket_versioning(
        Bucket=aws.exports_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    boto3.client("kms", **region).enable_key_rotation(KeyId=aws.encryption_key_id)
    boto3.client("sqs", **region).set_queue_attributes(
        QueueUrl=aws.queue_url, Attributes={"SqsManagedSseEnabled": "true"}
    )

    document = own_report(audit, acme)

    encryption = settings_of(document["encryption"])
    assert encryption["ExportsBucket", "encryption at rest"] == ("on", "aws:kms")
    assert encryption["EventsQueue", "encryption at rest"] == ("on", "SSE-SQS")
    assert encryption["SealingKey", "rotation"][0] == "on"
    assert encryption["PostgreSQL", "encryption at rest"] == ("not_known", "This function has no right to see it.")
    assert settings_of(document["backups"])["ExportsBucket", "versions of objects"][0] == "on"
    assert settings_of(document["retention"]["buckets"])["DeadLettersBucket", "expiry of objects"][0] == "off"


def test_settings_that_aws_does_not_show_are_not_known(start: Start, secrets: None, acme: Provisioned) -> None:  # noqa: ARG001
    audit = start("audit", EXPORTS_BUCKET="no-such-bucket", SEALING_KEY_ID=str(uuid4()))

    document = own_report(audit, acme)

    encryption = settings_of(document["encryption"])
    unknown = ("not_known", "AWS did not show this setting to the function.")
    assert encryption["ExportsBucket", "encryption at rest"] == unknown
    assert encryption["SealingKey", "rotation"] == unknown


def test_settings_are_read_once_in_some_minutes(audit: Function, acme: Provisioned, monkeypatch: Any) -> None:  # noqa: ANN401
    first = own_report(audit, acme)
    monkeypatch.setattr(audit.app.deployment, "_find_reader", None)

    assert own_report(audit, acme)["encryption"] == first["encryption"]


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


def test_keys_and_erasures_have_their_deadlines(audit: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET key_rotation_days = 30 WHERE id = %s", (acme.organization.id,))
        conn.execute(
            "UPDATE api_keys SET created_at = now() - interval '40 days' WHERE organization_id = %s AND type = 'sk'",
            (acme.organization.id,),
        )
        conn.execute(
            "INSERT INTO erasures (id, organization_id, actor_kind, actor_id, subject_kind, requested_at) "
            "VALUES (gen_random_uuid(), %s, 'key', gen_random_uuid(), 'user_id', now() - interval '31 days')",
            (acme.organization.id,),
        )

    document = own_report(audit, acme)

    keys = document["keys"]
    assert (keys["rotation_days"], keys["overdue"], keys["count"]) == (30, 1, 2)
    assert [(each["type"], each["age_days"], each["is_overdue"]) for each in keys["shown"]] == [
        ("secret", 40, True),
        ("write", 0, False),
    ]
    erasures = document["erasures"]
    assert (erasures["pending"], erasures["overdue"]) == (1, 1)
    assert erasures["shown"][0]["is_overdue"] is True


def test_retention_is_that_of_the_organization(audit: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(
            "UPDATE organizations SET overrides = '{\"data_retention_days\": 7}' WHERE id = %s", (acme.organization.id,)
        )

    retention = own_report(audit, acme)["retention"]

    assert retention["data_retention_days"] == 7
    assert {each["tier"] for each in retention["tiers"]} == {"starter", "growth", "enterprise"}
    assert {"data": "files of exports", "days": 7} in retention["fixed"]


def test_page_is_html_without_script(audit: Function, databases: Databases, acme: Provisioned) -> None:
    hostile = '<script src="//x.example"></script><img onerror=alert(1)>&"\''
    insert_records(databases, acme.organization.id, 1, action=hostile)
    request = called_by(own_request(acme.organization.id, format="html"), tenant_of(acme))

    answer = answer_of(audit(request))

    parser = Tags()
    parser.feed(answer.body)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; ")
    assert "script-src" not in policy
    assert re.findall("<style>(.*?)</style>", answer.body) == [STYLE]
    assert parser.tags.isdisjoint({"script", "img", "link", "iframe", "form", "a", "base"})
    assert parser.attributes == {"lang", "charset", "scope"}
    assert "&lt;script src=&quot;//x.example&quot;&gt;" in answer.body


def test_json_is_not_stored_by_caches(audit: Function, compliance: Function, acme: Provisioned) -> None:
    own = answer_of(audit(called_by(own_request(acme.organization.id), tenant_of(acme))))
    of_platform = answer_of(compliance(platform_request()))

    assert {each.headers["cache-control"] for each in (own, of_platform)} == {"no-store"}


def test_page_of_the_platform_is_html(compliance: Function, acme: Provisioned) -> None:  # noqa: ARG001
    answer = answer_of(compliance(platform_request(format="html")))

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h2>Row level security</h2>" in answer.body


def test_organization_without_audit_read_is_refused(audit: Function, acme: Provisioned) -> None:
    tenant = replace(tenant_of(acme), scopes=PERMISSIONS - {AUDIT_READ})
    request = called_by(own_request(acme.organization.id), tenant)

    problem_of(audit(request), request, 403, "forbidden")


def test_report_of_another_organization_is_404(audit: Function, acme: Provisioned, globex: Provisioned) -> None:
    request = called_by(own_request(globex.organization.id), tenant_of(acme))

    problem_of(audit(request), request, 404, "not_found")


def test_operator_reads_the_report_of_an_organization(audit: Function, acme: Provisioned) -> None:
    request = called_by(own_request(acme.organization.id), OPERATOR)
    unknown = called_by(own_request(uuid4()), OPERATOR)

    answer = answer_of(audit(request))

    assert answer.document["organization_id"] == str(acme.organization.id)
    problem_of(audit(unknown), unknown, 404, "not_found")


def test_organizations_do_not_read_the_platforms_report(compliance: Function, acme: Provisioned) -> None:
    request = called_by(with_query(sample("compliance", "report"), **ALL_TIME), tenant_of(acme))

    problem_of(compliance(request), request, 403, "forbidden")


def test_invalid_query_is_422(audit: Function, acme: Provisioned) -> None:
    for query in ({"format": "pdf"}, {"from_": "2026-02-01", "to": "2026-01-01"}, {"limit": "1"}):
        request = called_by(with_query(own_request(acme.organization.id), **query), tenant_of(acme))

        problem_of(audit(request), request, 422, "invalid")


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
