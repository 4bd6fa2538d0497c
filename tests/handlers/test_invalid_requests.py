"""Invalid bodies, queries, dates and ids of the management routes are never a 500."""

import json
from datetime import UTC, datetime

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD, tenant_of
from tests.handlers.functions import Start
from tests.handlers.invalid_input import INVALID, MALFORMED, TOO_LARGE, bodies
from tests.handlers.requests import (
    OPERATOR,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_headers,
    with_path,
    with_query,
)


@pytest.mark.usefixtures("secrets")
def test_invalid_organization_is_never_500(start: Start, subtests: pytest.Subtests) -> None:
    provision = start("provision")
    right = {"name": "Acme", "subdomain": "acme", "admin_email": "a@acme.example", "admin_password": PASSWORD}
    wrong = bodies("name") | {"nothing": (b"", INVALID)}
    wrong = {case: (body, outcome) for case, (body, outcome) in wrong.items() if len(body) < 2**18}
    wrong |= {"a lone surrogate": (json.dumps({**right, "name": "\ud800"}).encode(), MALFORMED)}
    wrong |= {"5,000 digits": (b'{"name":1' + b"0" * 5000 + b"}", MALFORMED)}
    # These routes take no gzip, and at most 256 KB.
    wrong |= {case: (body, MALFORMED) for case, (body, _) in wrong.items() if body.startswith(b"\x1f\x8b")}
    wrong |= {"256 KB": (b" " * 2**18 + b"{}", TOO_LARGE)}

    for case, (body, (status, code)) in wrong.items():
        with subtests.test(case):
            request = called_by(with_body(sample("provision", "create"), body), OPERATOR)
            problem_of(provision(request), request, status, code)

    fields = {
        "name": "a\0b",
        "subdomain": "a.b",
        "admin_email": "no-address",
        "admin_password": "short",
        "tier": "platinum",
    }
    for name, value in fields.items():
        with subtests.test(f"{name} {value}"):
            request = called_by(with_body(sample("provision", "create"), {**right, name: value}), OPERATOR)
            problem = problem_of(provision(request), request, *INVALID)
            assert [error["location"] for error in problem["errors"]] == [f"body/{name}"]


@pytest.mark.usefixtures("secrets")
def test_another_content_type_gets_a_problem_document(
    start: Start,
    subtests: pytest.Subtests,
) -> None:
    provision = start("provision")
    for content_type in (
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "x",
    ):
        with subtests.test(content_type):
            request = called_by(with_body(sample("provision", "create"), {"name": "Acme"}), OPERATOR)
            request = with_headers(request, content_type=content_type)

            answer = answer_of(provision(request))

            assert answer.status in {400, 415, 422}, answer.body
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.document["code"]
            assert answer.document["message"]


@pytest.mark.usefixtures("secrets")
def test_invalid_query_is_422(
    start: Start,
    acme: Provisioned,
    subtests: pytest.Subtests,
) -> None:
    usage, provision = start("usage"), start("provision")
    wrong: list[tuple[str, dict[str, str]]] = [
        ("list", {"limit": "0"}),
        ("list", {"limit": "101"}),
        ("list", {"limit": "-1"}),
        ("list", {"limit": "many"}),
        ("list", {"limit": "1" * 5000}),
        ("list", {"status": "gone"}),
        ("list", {"tier": "Starter"}),
        ("list", {"cursor": "x"}),
        ("list", {"cursor": ""}),
        ("list", {"cursor": "é"}),
        ("list", {"cursor": "MjAyNi0xMS0yNA=="}),
        ("list", {"cursor": "AAAA"}),
        ("usage", {"from_": "yesterday"}),
        ("usage", {"from_": "2026-02-30"}),
        ("usage", {"from_": "2026-11-02", "to": "2026-11-01"}),
        ("usage", {"to": "2001-01-01"}),
        ("usage", {"to": "0000-00-00"}),
        ("stats", {"from_": "x"}),
        ("stats", {"from_": "2026-11-02", "to": "2026-11-01"}),
        ("stats", {"group_by": "password"}),
        ("stats", {"group_by": "day;DROP TABLE events"}),
        ("stats", {"group_by": "day,,é"}),
    ]

    for case, query in wrong:
        with subtests.test(f"{case} {query}"):
            function, handler, caller = (
                ("provision", provision, OPERATOR) if case == "list" else ("usage", usage, tenant_of(acme))
            )
            request = called_by(with_query(sample(function, case), **query), caller)
            problem = problem_of(handler(request), request, *INVALID)

            assert problem["errors"]


@pytest.mark.usefixtures("secrets")
def test_all_faults_of_a_query_are_listed(start: Start, acme: Provisioned) -> None:
    query = {"group_by": "planet", "order_by": "foo", "limit": "0", "from": "x", "start": "2026-11-01"}
    request = called_by(with_query(sample("usage", "stats"), **query), tenant_of(acme))

    problem = problem_of(start("usage")(request), request, *INVALID)

    assert {each["location"] for each in problem["errors"]} == {f"query/{name}" for name in query}


@pytest.mark.usefixtures("secrets")
def test_distant_dates_are_never_500(
    start: Start,
    acme: Provisioned,
    subtests: pytest.Subtests,
) -> None:
    usage = start("usage")
    today = datetime.now(UTC).date().isoformat()

    for case in ("usage", "stats"):
        for start_date, end_date in (
            ("0001-01-01", today),
            ("1900-01-01", "1900-02-01"),
            ("1969-12-31", today),
            (today, "2150-01-01"),
            (today, "9999-12-31"),
            ("9999-12-31", "9999-12-31"),
        ):
            with subtests.test(f"{case} {start_date} {end_date}"):
                request = called_by(with_query(sample("usage", case), from_=start_date, to=end_date), tenant_of(acme))
                assert answer_of(usage(request)).status in {200, 422}


@pytest.mark.usefixtures("secrets")
def test_invalid_id_is_never_500(start: Start, subtests: pytest.Subtests) -> None:
    provision = start("provision")
    for identifier in ("x", "1", "null", "%00", "..", "' OR 1=1", "0" * 5000, "é"):
        with subtests.test(identifier[:10]):
            path = f"/organizations/{identifier}"
            request = called_by(
                with_path(sample("provision", "get"), path, "/organizations/{organization_id}"), OPERATOR
            )

            answer = answer_of(provision({**request, "pathParameters": {"organization_id": identifier}}))

            assert (answer.status, answer.document["code"]) in {(404, "not_found"), (422, "invalid")}
