"""Domains that no organization can claim, bounds, pages and rights."""

import pytest

from tenancy.rules.custom_domains import MAX_CUSTOM_DOMAINS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.custom_domains.life import Life, request_of
from tests.handlers.functions import superuser
from tests.handlers.requests import answer_of, problem_of, with_query

NO_OVERRIDES = "UPDATE organizations SET overrides = '{}'"
REFUSED = [
    "attribution.example", "acme.attribution.example", "a.b.attribution.example", "ATTRIBUTION.example.",
    "sdk.attribution.example", "x.sdk.attribution.example",  # the platform's
    "com", "co.uk", "github.io", "xn--p1ai", "xn--55qx5d.cn",  # public suffixes
    "acme.com", "acme.co.uk", "acme.github.io", "acme.example",  # the apex of a zone
    "localhost", "api.localhost", "api.acme.internal", "api.acme.invalid", "api.acme.onion", "api.acme.local",
    "4.3.2.1.in-addr.arpa", "x.execute-api.eu-central-1.amazonaws.com", "d1.cloudfront.net",
    "acme", "*.acme.com", "127.0.0.1", "1.2.3.4.", "2130706433", "0x7f.1", "[::1]", "::1", "user@api.acme.com",
    "https://api.acme.com", "api.acme.com/v1", "api.acme.com:443", "api_1.acme.com", "api..acme.com", "",
    f"{'a' * 56}.acme.com",
]  # fmt: skip


def test_refused_domain_is_422(life: Life, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for domain in REFUSED:
        request = request_of("claim", acme, domain)

        with subtests.test(domain):
            problem = problem_of(life.routes(request), request, 422, "invalid")

            assert [error["location"] for error in problem["errors"]] == ["body/domain"]


@pytest.mark.parametrize(
    ("domain", "stored"),
    [
        ("API.Acme.COM.", "api.acme.com"),
        ("api.bücher.example", "api.xn--bcher-kva.example"),
        ("api.straße.example", "api.xn--strae-oqa.example"),
        ("notattribution.acme.example", "notattribution.acme.example"),
        ("acme.attribution.example.com", "acme.attribution.example.com"),
        (f"{'a' * 55}.acme.com", f"{'a' * 55}.acme.com"),
    ],
)
def test_domain_is_stored_in_one_form(life: Life, acme: Provisioned, domain: str, stored: str) -> None:
    assert life.claim(acme, domain)["domain"] == stored


def test_number_of_domains_is_bounded(life: Life, acme: Provisioned) -> None:
    for number in range(MAX_CUSTOM_DOMAINS):
        life.claim(acme, f"a{number}.acme.example")
    request = request_of("claim", acme)
    assert MAX_CUSTOM_DOMAINS == 5

    problem_of(life.routes(request), request, 409, "conflict")


def test_domains_are_listed_in_pages_by_name(life: Life, acme: Provisioned, globex: Provisioned) -> None:
    for name in ("c", "a", "b"):
        life.claim(acme, f"{name}.acme.example")
    life.claim(globex, "z.acme.example")

    first = answer_of(life.routes(with_query(request_of("list", acme), limit="2"))).document
    cursor = first["pagination"]["next_cursor"]
    second = answer_of(life.routes(with_query(request_of("list", acme), limit="2", cursor=cursor))).document

    assert [each["domain"] for each in first["data"]] == ["a.acme.example", "b.acme.example"]
    assert [each["domain"] for each in second["data"]] == ["c.acme.example"]


@pytest.mark.parametrize("case", ["claim", "verify"])
def test_tier_without_white_label_is_refused(life: Life, databases: Databases, acme: Provisioned, case: str) -> None:
    with superuser(databases) as conn:
        conn.execute(NO_OVERRIDES)
    request = request_of(case, acme)

    problem = problem_of(life.routes(request), request, 403, "not_in_tier")

    assert (problem["tier"], problem["entitlement"]) == ("starter", "white_label")


def test_domain_can_be_removed_after_a_downgrade(life: Life, databases: Databases, acme: Provisioned) -> None:
    life.serve(acme)
    with superuser(databases) as conn:
        conn.execute(NO_OVERRIDES)

    assert life.show(acme)["status"] == "active"
    assert life.call("remove", acme).status == 204
