"""Exports and erasures over the API: asked for with a permission, done by the minute's worker, shown to their own."""

import json
import urllib.request
from datetime import UTC, datetime
from itertools import chain
from uuid import uuid4

import pytest

from tenancy.rules.erasures import MAX_PENDING_ERASURES
from tenancy.rules.permissions import ERASURES_WRITE, EXPORTS_WRITE, PERMISSIONS
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.secrets import CLICKHOUSE, CLICKHOUSE_READER, PLATFORM_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, LogLines, Mails, PutSecret, Start, superuser
from tests.handlers.requests import OPERATOR, Event, answer_of, at, called_by, problem_of, sample, with_body, with_query
from tests.use_cases.privacy_jobs import repeat_erasures, rows_in
from tests.use_cases.storing import store

EVERY_MINUTE = sample("privacy_jobs", "every_minute")
NOTHING = {"erasures": 0, "exports": 0, "expired": 0, "put_off": 0}
NAME = "0f1e2d3c-the-name-of-somebody"


@pytest.fixture
def privacy(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("privacy")


@pytest.fixture
def privacy_jobs(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("privacy_jobs")


def asking(case: str, who: Tenant, job_id: object = None) -> Event:
    request = sample("privacy", case)
    if job_id is not None:
        [name] = request["pathParameters"]
        path = request["resource"].replace(f"{{{name}}}", str(job_id))
        request = {**at(request, path, request["resource"]), "pathParameters": {name: str(job_id)}}
    return called_by(request, who)


def jobs(databases: Databases) -> list[tuple[int, int]]:
    with superuser(databases) as conn:
        return conn.execute("SELECT (SELECT count(*) FROM exports), (SELECT count(*) FROM erasures)").fetchall()


def test_an_export_is_asked_for_written_and_read_through_fresh_links(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=datetime.now(UTC))
    asked = answer_of(privacy(asking("export", tenant_of(acme))))
    assert (asked.status, asked.document["status"], asked.document["files"]) == (202, "pending", [])
    assert (asked.document["manifest"], asked.document["pagination"]["has_more"]) == (None, False)
    assert privacy_jobs(EVERY_MINUTE) == {**NOTHING, "exports": 1}
    assert privacy_jobs(EVERY_MINUTE) == NOTHING
    answer = answer_of(privacy(asking("read_export", tenant_of(acme), asked.document["id"])))
    assert (answer.status, answer.document["status"]) == (200, "done")
    assert answer.document["expires_at"] > answer.document["finished_at"] > asked.document["requested_at"]
    files = {file["section"]: file for file in answer.document["files"]}
    assert files["events"]["rows"] == 3
    with urllib.request.urlopen(files["events"]["url"]) as content:
        assert len(rows_in(content.read())) == 3
    with urllib.request.urlopen(answer.document["manifest"]) as content:
        assert {file["sha256"] for file in json.load(content)["files"]} == {file["sha256"] for file in files.values()}


def test_an_exports_files_are_shown_a_page_at_a_time(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=datetime.now(UTC))
    export_id = answer_of(privacy(asking("export", tenant_of(acme)))).document["id"]
    privacy_jobs(EVERY_MINUTE)
    request = asking("read_export", tenant_of(acme), export_id)
    whole = answer_of(privacy(request)).document
    assert (len(whole["files"]), whole["pagination"]) == (7, {"next_cursor": None, "has_more": False})
    names, cursor = list[list[str]](), "0"
    for _ in range(3):
        page = answer_of(privacy(with_query(request, limit="3", cursor=cursor))).document
        names.append([file["name"] for file in page["files"]])
        assert page["manifest"]
        cursor = page["pagination"]["next_cursor"]
        assert page["pagination"]["has_more"] == (cursor is not None)
    assert [len(each) for each in names] == [3, 3, 1]
    assert [*chain.from_iterable(names)] == [file["name"] for file in whole["files"]]
    assert cursor is None


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "x"}, {"cursor": "-1"}, {"cursor": str(2**31)}],
    ids=str,
)
def test_a_page_that_cannot_be_asked_for_is_refused(
    privacy: Function, acme: Provisioned, query: dict[str, str]
) -> None:
    request = with_query(asking("read_export", tenant_of(acme)), **query)
    problem_of(privacy(request), request, 422, "invalid")


def test_the_sweep_mails_links_to_who_may_read_them(
    privacy: Function, privacy_jobs: Function, start: Start, acme: Provisioned, mails: Mails
) -> None:
    privacy(asking("export", tenant_of(acme)))
    privacy_jobs(EVERY_MINUTE)
    assert "export_mail" in start("sweep")(sample("sweep", "every_minute"))["done"]
    assert ("admin@acme.example", "Your organization's data is ready") in mails()


@pytest.mark.parametrize("case", ["erase_device", "erase_user"])
def test_an_erasure_is_asked_for_done_and_shows_its_counts(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    [(kind, name)] = json.loads(sample("privacy", case)["body"]).items()
    named = {"device_id": name} if kind == "device_id" else {"user_properties": {kind: name}}
    for who in (acme, globex):
        store(databases, who.organization.id, [1, 2], at=datetime.now(UTC), **named)
        store(databases, who.organization.id, [3], at=datetime.now(UTC))
    asked = answer_of(privacy(asking(case, tenant_of(acme))))
    assert (asked.status, asked.document["status"]) == (202, "pending")
    assert asked.document["events"] == {"before": None, "after": None}
    assert name not in asked.body
    assert privacy_jobs(EVERY_MINUTE) == {**NOTHING, "erasures": 1}
    answer = answer_of(privacy(asking("read_erasure", tenant_of(acme), asked.document["id"])))
    assert (answer.status, answer.document["status"]) == (200, "erased")
    assert answer.document["events"] == {"before": 2, "after": 0}
    assert answer.document["held_events"] == {"before": 0, "after": 0}
    assert name not in answer.body


def test_one_erasure_more_than_may_be_pending_is_refused_and_says_so(
    privacy: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    request = asking("erase_device", tenant_of(acme))
    assert answer_of(privacy(request)).status == 202
    repeat_erasures(databases, MAX_PENDING_ERASURES - 2)
    assert answer_of(privacy(request)).status == 202
    assert "pending" in problem_of(privacy(request), request, 409, "conflict")["detail"]
    assert jobs(databases) == [(0, MAX_PENDING_ERASURES)]
    assert answer_of(privacy(asking("erase_device", tenant_of(globex)))).status == 202


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"device_id": "a", "user_id": "b"},
        {"device_id": None},
        {"device_id": ""},
        {"device_id": "x" * 256},
        {"user_id": 42},
        {"user_id": ["a"]},
        {"device_id": "a", "more": 1},
        {"device_id": "a", "email": "a@b.example"},
        [],
        None,
        "a",
    ],
)
def test_whom_it_is_about_is_said_in_one_way_or_nothing_is_changed(
    privacy: Function, databases: Databases, acme: Provisioned, body: object
) -> None:
    request = with_body(asking("erase_device", tenant_of(acme)), body)
    problem_of(privacy(request), request, 422, "invalid")
    assert jobs(databases) == [(0, 0)]


def test_neither_an_answer_nor_a_log_says_whom_it_is_about(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned, logged: LogLines
) -> None:
    store(databases, acme.organization.id, [1], at=datetime.now(UTC), device_id=NAME)
    for body in ({"device_id": NAME}, {"device_id": NAME, "user_id": NAME}, {"user_id": NAME * 20}):
        answer = answer_of(privacy(with_body(asking("erase_device", tenant_of(acme)), body)))
        assert NAME not in answer.body
    privacy(with_body(asking("erase_device", tenant_of(acme)), {NAME: NAME}))
    privacy_jobs(EVERY_MINUTE)
    assert logged()
    assert NAME not in json.dumps(logged())


def test_each_permission_is_needed_for_its_own(privacy: Function, databases: Databases, acme: Provisioned) -> None:
    for permission, cases in (
        (EXPORTS_WRITE, ("export", "read_export")),
        (ERASURES_WRITE, ("erase_device", "read_erasure")),
    ):
        for case in cases:
            request = asking(case, tenant_of(acme, scopes=PERMISSIONS - {permission}))
            problem_of(privacy(request), request, 403, "forbidden")
    for case in ("export", "read_export", "erase_device", "read_erasure"):
        request = called_by(sample("privacy", case), OPERATOR)
        problem_of(privacy(request), request, 403, "forbidden")
    assert jobs(databases) == [(0, 0)]


def test_another_organizations_job_is_as_unknown_as_one_that_does_not_exist(
    privacy: Function, acme: Provisioned, globex: Provisioned
) -> None:
    for asked, read in (("export", "read_export"), ("erase_device", "read_erasure")):
        job_id = answer_of(privacy(asking(asked, tenant_of(acme)))).document["id"]
        assert answer_of(privacy(asking(read, tenant_of(acme), job_id))).status == 200
        problems = []
        for each in (job_id, uuid4()):
            request = asking(read, tenant_of(globex), each)
            problems.append(problem_of(privacy(request), request, 404, "not_found")["detail"])
        assert problems[0] == problems[1]
        request = asking(read, tenant_of(acme), "no-uuid")
        problem_of(privacy(request), request, 422, "invalid")


@pytest.mark.usefixtures("secrets")
def test_a_store_that_is_away_fails_the_run_so_that_the_alarm_knows_and_the_next_one_does_the_rest(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned, nowhere: str
) -> None:
    privacy = start("privacy")
    for case in ("export", "erase_device"):
        privacy(asking(case, tenant_of(acme)))
    for name in (CLICKHOUSE, CLICKHOUSE_READER):
        put_secret(name, f"http://{nowhere}/default")
    with pytest.raises(Exception, match="store"):
        start("privacy_jobs")(EVERY_MINUTE)
    with superuser(databases) as conn:
        for table in ("exports", "erasures"):
            conn.execute(f"UPDATE {table} SET due_at = now() - interval '1 second'")
    for name in (CLICKHOUSE, CLICKHOUSE_READER):
        put_secret(name, databases.servers.clickhouse_url(databases.name))
    assert start("privacy_jobs")(EVERY_MINUTE) == {**NOTHING, "erasures": 1, "exports": 1}
    put_secret(PLATFORM_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    with pytest.raises(Exception, match="database"):
        start("privacy_jobs")(EVERY_MINUTE)
