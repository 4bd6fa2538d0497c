"""Routes of e-mail domains, with `fetch` and a real DNS server."""

from typing import Any

import pytest

from tenancy.rules.email_domains import MAX_EMAIL_DOMAINS
from tenancy.rules.permissions import SSO_READ
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import (
    Answer,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_path,
    with_query,
)
from tests.name_server import NameServer

DOMAIN = "acme.example"
RECORD = f"_tenancy-verification.{DOMAIN}"
INSERT_CLAIMS = """
    INSERT INTO email_domains (organization_id, domain, id, token, created_at)
    SELECT %s, format('a%%s.example', number), gen_random_uuid(), repeat('x', 43), now()
    FROM generate_series(1, %s) AS number
"""
OVERRIDE = "UPDATE organizations SET overrides = '{\"sso\": true}'"
UNCLAIMABLE = [
    "gmail.com", "outlook.com", "gmx.de", "proton.me", "mailbox.org", "GMAIL.COM.",  # personal mail
    "com", "co.uk", "github.io", "xn--p1ai", "xn--55qx5d.cn",  # public suffixes
    "acme", "127.0.0.1", "2130706433", "[::1]", "user@acme.example", "https://acme.example", "acme_1.example",
    f"{'a.' * 117}example", "",
]  # fmt: skip


@pytest.fixture
def sso(start: Start, secrets: None, databases: Databases, acme: Provisioned, globex: Provisioned) -> Function:  # noqa: ARG001
    """Both organizations have single sign-on by an override."""
    with superuser(databases) as conn:
        conn.execute(OVERRIDE)
    return start("sso")


def request_of(case: str, provisioned: Provisioned, domain: str = DOMAIN) -> Event:
    """Return the sample *case* of an organization, about *domain*."""
    request = sample("sso", case)
    if case == "claim_domain":
        request = with_body(request, {"domain": domain})
    if request["pathParameters"]:
        path = request["resource"].replace("{domain}", domain)
        request = {**with_path(request, path, request["resource"]), "pathParameters": {"domain": domain}}
    return called_by(request, tenant_of(provisioned))


def call(sso: Function, case: str, provisioned: Provisioned, domain: str = DOMAIN) -> Answer:
    return answer_of(sso(request_of(case, provisioned, domain)))


def claim(sso: Function, provisioned: Provisioned, domain: str = DOMAIN) -> dict[str, Any]:
    answer = call(sso, "claim_domain", provisioned, domain)
    assert answer.status == 201
    return dict(answer.document)


def prove(sso: Function, names: NameServer, provisioned: Provisioned, domain: str = DOMAIN) -> dict[str, Any]:
    """Claim *domain*, set its record, and return the verified domain."""
    record = claim(sso, provisioned, domain)["record"]
    names.put(record["name"], "TXT", "v=spf1 -all", record["value"])
    answer = call(sso, "verify_domain", provisioned, domain)
    assert (answer.status, answer.document["status"]) == (200, "verified")
    return dict(answer.document)


def listed(sso: Function, provisioned: Provisioned, **query: str) -> Any:  # noqa: ANN401 - JSON
    request = with_query(request_of("list_domains", provisioned), **query)
    return answer_of(sso(request)).document


def actions(databases: Databases, provisioned: Provisioned) -> list[str]:
    """Return the audited changes of domains, and check that no entry names a domain."""
    with superuser(databases) as conn:
        rows = conn.execute(
            "SELECT action, target FROM audit_log WHERE organization_id = %s AND action LIKE 'email_domain.%%' "
            "ORDER BY occurred_at",
            (provisioned.organization.id,),
        ).fetchall()
    assert not any(DOMAIN in target for _, target in rows)
    return [action for action, _ in rows]


def test_claim_shows_the_record_to_set(sso: Function, acme: Provisioned) -> None:
    claimed = claim(sso, acme, "ACME.Example.")

    assert (claimed["domain"], claimed["status"], claimed["verified_at"]) == (DOMAIN, "unverified", None)
    assert claimed["record"]["name"] == RECORD
    assert claimed["record"]["value"].startswith("tenancy-verification=")
    assert listed(sso, acme)["data"] == [claimed]


def test_second_claim_returns_the_first(sso: Function, databases: Databases, acme: Provisioned) -> None:
    assert claim(sso, acme) == claim(sso, acme)
    assert actions(databases, acme) == ["email_domain.claimed"]


def test_domain_is_verified_by_its_record(
    sso: Function, names: NameServer, databases: Databases, acme: Provisioned
) -> None:
    verified = prove(sso, names, acme)

    assert verified["problem"] is None
    assert verified["verified_at"] is not None
    assert listed(sso, acme)["data"][0]["status"] == "verified"
    assert actions(databases, acme) == ["email_domain.claimed", "email_domain.verified"]


@pytest.mark.parametrize("records", [(), ("v=spf1 -all",), ("tenancy-verification=other", "tenancy-verification=")])
def test_domain_is_not_verified_without_its_record(
    sso: Function, names: NameServer, acme: Provisioned, records: tuple[str, ...]
) -> None:
    claim(sso, acme)
    names.put(RECORD, "TXT", *records)

    answer = call(sso, "verify_domain", acme)

    assert (answer.status, answer.document["status"]) == (200, "unverified")
    assert answer.document["problem"]["code"] == ("other_records" if records else "no_record")


def test_failing_name_server_is_named(sso: Function, names: NameServer, acme: Provisioned) -> None:
    claim(sso, acme)
    names.failing.add(RECORD)

    assert call(sso, "verify_domain", acme).document["problem"]["code"] == "no_dns_answer"


def test_record_of_another_organization_proves_nothing(
    sso: Function, names: NameServer, acme: Provisioned, globex: Provisioned
) -> None:
    record = claim(sso, acme)["record"]
    claim(sso, globex)
    names.put(RECORD, "TXT", record["value"])

    assert call(sso, "verify_domain", globex).document["status"] == "unverified"
    assert call(sso, "verify_domain", acme).document["status"] == "verified"


def test_claim_does_not_block_the_owner(
    sso: Function, names: NameServer, acme: Provisioned, globex: Provisioned
) -> None:
    claim(sso, globex)

    prove(sso, names, acme)


def test_verified_domain_belongs_to_one_organization(
    sso: Function, names: NameServer, acme: Provisioned, globex: Provisioned
) -> None:
    prove(sso, names, acme)
    names.put(RECORD, "TXT", claim(sso, globex)["record"]["value"])
    request = request_of("verify_domain", globex)

    problem_of(sso(request), request, 409, "domain_taken")

    assert call(sso, "remove_domain", acme).status == 204
    assert call(sso, "verify_domain", globex).document["status"] == "verified"


def test_removed_domain_needs_a_new_record(
    sso: Function, names: NameServer, databases: Databases, acme: Provisioned
) -> None:
    before = prove(sso, names, acme)

    assert call(sso, "remove_domain", acme).status == 204
    assert listed(sso, acme)["data"] == []

    assert claim(sso, acme)["record"]["value"] != before["record"]["value"]
    assert call(sso, "verify_domain", acme).document["status"] == "unverified"
    assert actions(databases, acme)[2] == "email_domain.removed"


@pytest.mark.parametrize("case", ["verify_domain", "remove_domain"])
def test_domain_of_another_organization_is_404(
    sso: Function, names: NameServer, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    prove(sso, names, acme)
    request = request_of(case, globex)

    problem_of(sso(request), request, 404, "not_found")

    assert len(listed(sso, acme)["data"]) == 1


def test_unclaimable_domain_is_422(sso: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for domain in UNCLAIMABLE:
        request = request_of("claim_domain", acme, domain)

        with subtests.test(domain):
            problem = problem_of(sso(request), request, 422, "invalid")

            assert [error["location"] for error in problem["errors"]] == ["body/domain"]


def test_domains_are_listed_in_pages_by_name(sso: Function, acme: Provisioned, globex: Provisioned) -> None:
    for name in ("c", "a", "b"):
        claim(sso, acme, f"{name}.example")
    claim(sso, globex, "z.example")

    first = listed(sso, acme, limit="2")
    second = listed(sso, acme, limit="2", cursor=first["pagination"]["next_cursor"])

    assert [each["domain"] for each in first["data"]] == ["a.example", "b.example"]
    assert [each["domain"] for each in second["data"]] == ["c.example"]
    assert second["pagination"] == {"next_cursor": None, "has_more": False}


def test_number_of_domains_is_bounded(sso: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_CLAIMS, (acme.organization.id, MAX_EMAIL_DOMAINS))
    request = request_of("claim_domain", acme)

    problem_of(sso(request), request, 409, "conflict")


# --------------------------------------------------------------------------------------------------------------- rights


@pytest.mark.parametrize("case", ["list_domains", "claim_domain", "verify_domain"])
def test_tier_without_single_sign_on_is_refused(start: Start, secrets: None, acme: Provisioned, case: str) -> None:  # noqa: ARG001
    sso, request = start("sso"), request_of(case, acme)

    problem = problem_of(sso(request), request, 403, "not_in_tier")

    assert (problem["tier"], problem["entitlement"]) == ("starter", "sso")


def test_domain_can_be_removed_after_a_downgrade(
    sso: Function, names: NameServer, databases: Databases, acme: Provisioned, start: Start
) -> None:
    prove(sso, names, acme)
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET overrides = '{}'")

    assert call(start("sso"), "remove_domain", acme).status == 204


@pytest.mark.parametrize("case", ["claim_domain", "verify_domain", "remove_domain"])
def test_change_needs_the_permission_to_write(sso: Function, acme: Provisioned, case: str) -> None:
    reader = called_by(sample("sso", case), tenant_of(acme, scopes=frozenset({SSO_READ})))

    problem_of(sso(reader), reader, 403, "forbidden")


def test_fetch_that_fails_is_unavailable(start: Start, secrets: None, sso: Function, acme: Provisioned) -> None:  # noqa: ARG001
    claim(sso, acme)
    request = request_of("verify_domain", acme)

    broken = start("sso", FETCH_FUNCTION="no.such.function:live")

    assert answer_of(broken(request)).status in {500, 503}
