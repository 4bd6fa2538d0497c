"""Dead letters of an organization: the operator lists them by cause and sends them back."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.cursors import PagedList
from tenancy.rules.dead_letters import MAX_SHOWN_SAMPLES, DeadLetterKind
from tenancy.stores.aws.secrets import PLATFORM_DATABASE
from tenancy.use_cases.dead_letters.read_dead_letters import GroupPosition
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.dead_letter_requests import operator_request
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.requests import answer_of, called_by, problem_of, with_query
from tests.use_cases.dead_letters import CAUSE, RECEIVED, call, drain, frame, message, row

CASES = ("list", "redrive")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def dead_letters(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("dead_letters")


def time(moment: object) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.000Z}"


def test_letters_are_listed_by_kind_and_cause(
    dead_letters: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    own = acme.organization.id
    newest = message(own, frame(row(own, "phone")), received_at=RECEIVED + MINUTE)
    drain(databases, message(own, frame(row(own, "phone"))), newest)
    drain(databases, message(own, call("{}"), kind=DeadLetterKind.CALLS, cause="missing"))
    drain(databases, message(globex.organization.id, "body"))

    answer = answer_of(dead_letters(operator_request("list", own)))

    calls, events = answer.document["data"]
    assert (calls["kind"], calls["cause"], calls["count"], calls["redrivable"]) == ("calls", "missing", 1, 0)
    assert {name: value for name, value in events.items() if name not in {"samples", "bytes"}} == {
        "kind": "events",
        "cause": CAUSE,
        "count": 2,
        "events": 2,
        "redrivable": 2,
        "redriven": 0,
        "failed_again": 0,
        "first_received_at": time(RECEIVED),
        "last_received_at": time(RECEIVED + MINUTE),
    }
    assert events["samples"][0] == {
        "id": str(newest.letter.id),
        "received_at": time(RECEIVED + MINUTE),
        "bytes": len(newest.body),
        "events": 1,
        "call_index": None,
        "redriven_at": None,
        "failed_again_at": None,
    }
    assert answer.document["pagination"] == {"next_cursor": None, "has_more": False}


def test_answer_shows_no_payload(dead_letters: Function, databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id
    drain(databases, message(own, call('{"userId": "jane"}'), kind=DeadLetterKind.CALLS), message(own, "secret-body"))

    body = answer_of(dead_letters(operator_request("list", own))).body

    assert "jane" not in body
    assert "secret-body" not in body


def test_samples_of_a_cause_are_few(dead_letters: Function, databases: Databases, acme: Provisioned) -> None:
    drain(databases, *(message(acme.organization.id, "body") for _ in range(MAX_SHOWN_SAMPLES + 3)))

    [group] = answer_of(dead_letters(operator_request("list", acme.organization.id))).document["data"]

    assert (group["count"], len(group["samples"])) == (MAX_SHOWN_SAMPLES + 3, MAX_SHOWN_SAMPLES)


def test_pages_hold_each_cause_once(dead_letters: Function, databases: Databases, acme: Provisioned) -> None:
    causes = ["a", "b\nc", "é" * 200, "z"]
    drain(databases, *(message(acme.organization.id, "body", cause=cause) for cause in causes))
    request, found = operator_request("list", acme.organization.id), []

    query = {"limit": "1"}
    while True:
        page = answer_of(dead_letters(with_query(request, **query))).document
        found += [group["cause"] for group in page["data"]]
        if not page["pagination"]["has_more"]:
            break
        query["cursor"] = page["pagination"]["next_cursor"]

    assert sorted(found) == sorted(causes)


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": "AA=="}, {"limit": "0"}, {"limit": "101"}])
def test_invalid_query_is_422(dead_letters: Function, acme: Provisioned, query: dict[str, str]) -> None:
    request = with_query(operator_request("list", acme.organization.id), **query)

    problem_of(dead_letters(request), request, 422, "invalid")


@pytest.mark.parametrize("position", [("events", "a\0"), ("\0", "a")])
def test_forged_cursor_is_422(dead_letters: Function, acme: Provisioned, position: tuple[str, str]) -> None:
    """A client can compute the digest in a cursor. PostgreSQL refuses U+0000."""
    own = acme.organization.id
    forged = PagedList(name="dead_letters", organization_id=own, position=GroupPosition)
    request = with_query(operator_request("list", own), cursor=forged.format_cursor(GroupPosition(*position)))

    problem_of(dead_letters(request), request, 422, "invalid")


def test_letters_of_the_platform_are_listed(dead_letters: Function, databases: Databases) -> None:
    drain(databases, message(uuid4(), "body"))

    answer = answer_of(dead_letters(operator_request("list", PLATFORM_LOG)))

    assert [group["redrivable"] for group in answer.document["data"]] == [0]


def test_redrive_answers_counts(dead_letters: Function, databases: Databases, acme: Provisioned) -> None:
    drain(databases, message(acme.organization.id, "body"))
    request = operator_request("redrive", acme.organization.id)

    answers = [json.loads(dead_letters(request)["body"]) for _ in range(2)]

    assert answers == [{"redriven": 1, "waiting": 0}, {"redriven": 0, "waiting": 0}]


@pytest.mark.parametrize("case", CASES)
def test_dead_letters_routes_need_a_platform_key(
    dead_letters: Function, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    own = called_by(operator_request(case, acme.organization.id), tenant_of(acme))
    problem_of(dead_letters(own), own, 403, "forbidden")

    others = called_by(operator_request(case, globex.organization.id), tenant_of(acme))
    problem_of(dead_letters(others), others, 404, "not_found")

    unknown = operator_request(case, uuid4())
    problem_of(dead_letters(unknown), unknown, 404, "not_found")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("secrets")
def test_dead_letters_routes_are_503_without_a_database(
    start: Start, put_secret: PutSecret, acme: Provisioned, nowhere: str, case: str
) -> None:
    put_secret(PLATFORM_DATABASE, f"postgresql://{nowhere}/x")
    request = operator_request(case, acme.organization.id)

    problem_of(start("dead_letters")(request), request, 503, "unavailable")
