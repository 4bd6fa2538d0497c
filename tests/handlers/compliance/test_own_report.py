"""GET /v1/organizations/{id}/compliance/report."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import override
from uuid import uuid4

from tenancy.gateway.report_page import STYLE, STYLE_DIGEST
from tenancy.rules.permissions import AUDIT_READ, PERMISSIONS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.audit_requests import insert_records
from tests.handlers.compliance.reports import own_report, own_request, platform_request
from tests.handlers.functions import Function, superuser
from tests.handlers.requests import OPERATOR, answer_of, called_by, problem_of, with_query


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
    digests = {each["data"]: each["days"] for each in retention["fixed"] if "erased data subjects" in each["data"]}
    assert digests == {
        "digests of erased data subjects in PostgreSQL": 30,
        "entries of the register, such as digests of erased data subjects": 70,
    }


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


def test_invalid_query_is_422(audit: Function, acme: Provisioned) -> None:
    for query in ({"format": "pdf"}, {"from_": "2026-02-01", "to": "2026-01-01"}, {"limit": "1"}):
        request = called_by(with_query(own_request(acme.organization.id), **query), tenant_of(acme))

        problem_of(audit(request), request, 422, "invalid")
