"""GET /v1/audit and /v1/audit/verify: an organization reads and verifies its audit log."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.permissions import AUDIT_READ, PERMISSIONS
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import OPERATOR as ACTOR
from tests.given import AwsAccount, Databases, tenant_of
from tests.handlers.audit_requests import NOW, audit_request, insert_records, operator_audit_request, verify_request
from tests.handlers.functions import Function, Start
from tests.handlers.queues import messages_in
from tests.handlers.requests import (
    answer_of,
    called_by,
    problem_of,
    sample,
    with_path,
)

type Sent = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def audit(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("audit")


@pytest.fixture
def sent(aws: AwsAccount) -> Sent:
    """Take the messages that the function sent to the audit queue."""
    return lambda: [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]


def test_organization_reads_its_own_log_newest_first(
    audit: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    insert_records(databases, acme.organization.id, 2)
    insert_records(databases, globex.organization.id, 3)

    document = answer_of(audit(audit_request(acme))).document
    times = [entry["occurred_at"] for entry in document["data"]]

    assert len(times) == 3
    assert times == sorted(times, reverse=True)
    assert document["pagination"] == {"next_cursor": None, "has_more": False}
    provisioned = next(entry for entry in document["data"] if entry["action"] == "organization.provisioned")
    assert provisioned["target"] == str(acme.organization.id)
    assert provisioned["actor"] == {
        "kind": "operator",
        "id": str(ACTOR.id),
        "source_address": None,  # an operator's address is not shown to the organization
    }


def test_query_selects_entries(
    audit: Function, databases: Databases, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    insert_records(databases, acme.organization.id, 3, action="GET /v1/usage")
    selected: list[tuple[dict[str, str], int]] = [
        ({"actor": str(ACTOR.id)}, 4),
        ({"actor": str(uuid4())}, 0),
        ({"action": "GET /v1/usage"}, 3),
        ({"action": "GET /v1/stats"}, 0),
        ({"outcome": "done"}, 4),
        ({"outcome": "refused"}, 0),
        ({"from_": "2020-01-01", "to": "2020-02-01"}, 0),
        ({"limit": "2"}, 2),
    ]

    for query, count in selected:
        with subtests.test(str(query)):
            assert len(answer_of(audit(audit_request(acme, **query))).document["data"]) == count


def test_pages_have_no_gap_and_no_overlap(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, 6)
    seen: list[str] = []
    query = {"limit": "3"}

    while True:
        document = answer_of(audit(audit_request(acme, **query))).document
        seen += [entry["id"] for entry in document["data"]]

        if not document["pagination"]["has_more"]:
            break

        query["cursor"] = document["pagination"]["next_cursor"]

    assert len(seen) == len(set(seen)) == 7


def test_csv_has_a_header_and_no_formulas(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, 1, action="=HYPERLINK(1)", target='quo"te, and\nline')

    answer = answer_of(audit(audit_request(acme, format="csv", limit="1", action="=HYPERLINK(1)")))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    [entry] = csv.DictReader(io.StringIO(answer.body))
    assert (entry["action"], entry["target"]) == ("'=HYPERLINK(1)", 'quo"te, and\nline')
    assert (entry["actor_kind"], entry["actor_id"]) == ("operator", str(ACTOR.id))
    assert "x-next-cursor" not in answer.headers


def test_csv_names_its_next_page_in_a_header(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, 3)

    cursor = answer_of(audit(audit_request(acme, format="csv", limit="2"))).headers["x-next-cursor"]
    rest = answer_of(audit(audit_request(acme, format="csv", cursor=cursor)))

    assert len(rest.body.splitlines()) == 3


def test_invalid_query_is_422_with_its_location(audit: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    invalid: list[tuple[dict[str, str], str]] = [
        ({"limit": "0"}, "query/limit"),
        ({"limit": "101"}, "query/limit"),
        ({"limit": "5001", "format": "csv"}, "query/limit"),
        ({"format": "xml"}, "query/format"),
        ({"outcome": "maybe"}, "query/outcome"),
        ({"actor": "me"}, "query/actor"),
        ({"action": "a\x00b"}, "query/action"),
        ({"cursor": "x"}, "query/cursor"),
        ({"from_": "2026-02-30"}, "query/from"),
        ({"from_": "2026-02-02", "to": "2026-02-01"}, "query/to"),
    ]

    for query, location in invalid:
        with subtests.test(str(query)):
            request = audit_request(acme, **query)
            problem = problem_of(audit(request), request, 422, "invalid")
            assert [error["location"] for error in problem["errors"]] == [location]


def test_log_needs_the_audit_permission(audit: Function, acme: Provisioned) -> None:
    for path in ("/audit", "/audit/verify"):
        caller = tenant_of(acme, scopes=PERMISSIONS - {AUDIT_READ})
        request = called_by(with_path(sample("audit", "list"), path), caller)
        problem_of(audit(request), request, 403, "forbidden")


def test_operator_reads_the_log_that_the_path_names(
    audit: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    insert_records(databases, globex.organization.id, 2)

    [entry] = answer_of(audit(operator_audit_request(acme.organization.id))).document["data"]

    assert entry["actor"]["source_address"] == ACTOR.source_address
    assert len(answer_of(audit(operator_audit_request(globex.organization.id))).document["data"]) == 3

    insert_records(databases, PLATFORM_LOG, 1)
    assert len(answer_of(audit(operator_audit_request(PLATFORM_LOG))).document["data"]) == 1


def test_log_of_unknown_organization_is_404(audit: Function, sent: Sent) -> None:
    for suffix in ("", "/verify"):
        request = operator_audit_request(uuid4(), suffix)
        problem_of(audit(request), request, 404, "not_found")

    assert sent() == []


def test_log_of_another_organization_is_404(audit: Function, acme: Provisioned, globex: Provisioned) -> None:
    for organization_id in (globex.organization.id, uuid4(), PLATFORM_LOG):
        for suffix in ("", "/verify"):
            request = called_by(operator_audit_request(organization_id, suffix), tenant_of(acme))
            problem_of(audit(request), request, 404, "not_found")


def test_verify_compares_the_log_with_its_seals(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, 2)
    heads = seal_audit_logs(databases.platform, now=NOW).heads
    insert_records(databases, acme.organization.id, 1)

    assert answer_of(audit(verify_request(acme))).document == {
        "valid": True,
        "broken": None,
        "first_sequence": 1,
        "last_sequence": 3,
        "last_seal": heads[acme.organization.id].seal.hex(),
        "is_complete": True,
        "unsealed": 1,
        "checkpoint": None,
    }
    assert answer_of(audit(operator_audit_request(acme.organization.id, "/verify"))).document["valid"] is True


def test_verification_continues_from_a_stored_seal(audit: Function, databases: Databases, acme: Provisioned) -> None:
    insert_records(databases, acme.organization.id, 2)
    seal_audit_logs(databases.platform, now=NOW)
    kept = answer_of(audit(verify_request(acme))).document
    after = {"after_sequence": str(kept["last_sequence"]), "after_seal": kept["last_seal"]}
    insert_records(databases, acme.organization.id, 1)
    seal_audit_logs(databases.platform, now=NOW)

    document = answer_of(audit(verify_request(acme, **after))).document

    assert (document["valid"], document["first_sequence"], document["last_sequence"]) == (True, 4, 4)

    other = {**after, "after_seal": "0" * 64}

    broken = answer_of(audit(verify_request(acme, **other))).document

    assert (broken["valid"], broken["broken"]["sequence"]) == (False, 4)


def test_invalid_seal_is_422(audit: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    invalid = [
        {"after_sequence": "1"},
        {"after_seal": "0" * 64},
        {"after_sequence": "-1", "after_seal": "0" * 64},
        {"after_sequence": str(2**63), "after_seal": "0" * 64},
        {"after_sequence": "1", "after_seal": "zz"},
    ]

    for query in invalid:
        with subtests.test(str(query)):
            request = verify_request(acme, **query)
            problem_of(audit(request), request, 422, "invalid")
