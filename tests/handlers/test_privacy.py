"""Exports and erasures over the API: requested, done by the scheduled worker, and read."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, product
from uuid import uuid4

import pytest

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.erasures import MAX_PENDING_ERASURES
from tenancy.rules.permissions import ERASURES_WRITE, EXPORTS_WRITE, PERMISSIONS
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.secrets import CLICKHOUSE, CLICKHOUSE_READER, DATABASE, PLATFORM_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.database_pool import DatabasePool
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, LogLines, Mails, PutSecret, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_path,
    with_query,
)
from tests.use_cases.privacy_jobs import repeat_erasures, rows_in
from tests.use_cases.storing import store
from tests.use_cases.two_homes import TwoHomes

EVERY_MINUTE = sample("privacy_jobs", "every_minute")
NOTHING = {"erasures": 0, "exports": 0, "expired": 0, "postponed": 0, "waiting": 0, "letters_expired": 0}
NAME = "0f1e2d3c-the-name-of-a-device"
ROLES = {PLATFORM_DATABASE: postgres.PLATFORM, DATABASE: postgres.FUNCTIONS}


@pytest.fixture
def homes(database_pool: DatabasePool, databases: Databases) -> Iterator[TwoHomes]:
    second = database_pool.take()
    opened = TwoHomes.of(databases, second)
    yield opened
    opened.close()
    database_pool.give_back(second)


@pytest.fixture
def privacy(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("privacy")


@pytest.fixture
def privacy_jobs(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("privacy_jobs")


def privacy_request(case: str, provisioned: Tenant, job_id: object = None) -> Event:
    request = sample("privacy", case)
    if job_id is not None:
        [name] = request["pathParameters"]
        path = request["resource"].replace(f"{{{name}}}", str(job_id))
        request = {**with_path(request, path, request["resource"]), "pathParameters": {name: str(job_id)}}
    return called_by(request, provisioned)


def count_jobs(databases: Databases) -> list[tuple[int, int]]:
    with superuser(databases) as conn:
        return conn.execute("SELECT (SELECT count(*) FROM exports), (SELECT count(*) FROM erasures)").fetchall()


def test_export_is_written_and_read_through_links(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=datetime.now(UTC))

    asked = answer_of(privacy(privacy_request("export", tenant_of(acme))))

    assert (asked.status, asked.document["status"], asked.document["files"]) == (202, "pending", [])
    assert (asked.document["manifest"], asked.document["pagination"]["has_more"]) == (None, False)
    assert privacy_jobs(EVERY_MINUTE) == {**NOTHING, "exports": 1}
    assert privacy_jobs(EVERY_MINUTE) == NOTHING

    answer = answer_of(privacy(privacy_request("read_export", tenant_of(acme), asked.document["id"])))

    assert (answer.status, answer.document["status"]) == (200, "done")
    assert answer.document["expires_at"] > answer.document["finished_at"] > asked.document["requested_at"]
    files = {file["section"]: file for file in answer.document["files"]}
    assert files["events"]["rows"] == 3

    with urllib.request.urlopen(files["events"]["url"]) as content:
        assert len(rows_in(content.read())) == 3

    with urllib.request.urlopen(answer.document["manifest"]) as content:
        assert {file["sha256"] for file in json.load(content)["files"]} == {file["sha256"] for file in files.values()}


def test_export_is_read_from_the_home_in_any_order_of_lines(
    privacy: Function, privacy_jobs: Function, homes: TwoHomes, targets: OutboxTargets, put_secret: PutSecret
) -> None:
    acme = homes.provision(targets, "acme", "second")
    given = {"main": homes.main, "second": homes.second, "third": homes.main}
    orders = {PLATFORM_DATABASE: ("main", "second", "third"), DATABASE: ("main", "third", "second")}
    for secret, names in orders.items():
        lines = [f"{name} {homes.main.servers.postgres_url(ROLES[secret], given[name].name)}" for name in names]
        put_secret(secret, "\n".join(lines))
    asked = answer_of(privacy(privacy_request("export", tenant_of(acme))))

    done = privacy_jobs(EVERY_MINUTE)

    assert [each["exports"] for each in done["databases"]] == [0, 1, 0]
    answer = answer_of(privacy(privacy_request("read_export", tenant_of(acme), asked.document["id"])))
    rows = {file["section"]: file["rows"] for file in answer.document["files"]}
    assert (rows["organization"], rows["users"]) == (1, 1)


def test_files_of_an_export_are_listed_in_pages(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=datetime.now(UTC))
    export_id = answer_of(privacy(privacy_request("export", tenant_of(acme)))).document["id"]
    privacy_jobs(EVERY_MINUTE)
    request = privacy_request("read_export", tenant_of(acme), export_id)

    whole = answer_of(privacy(request)).document

    assert (len(whole["files"]), whole["pagination"]) == (7, {"next_cursor": None, "has_more": False})

    names, query = list[list[str]](), {"limit": "3"}
    for _ in range(3):
        page = answer_of(privacy(with_query(request, **query))).document
        names.append([file["name"] for file in page["files"]])
        query["cursor"] = page["pagination"]["next_cursor"]
        assert page["manifest"]
        assert page["pagination"]["has_more"] == (query["cursor"] is not None)

    assert [len(each) for each in names] == [3, 3, 1]
    assert [*chain.from_iterable(names)] == [file["name"] for file in whole["files"]]
    assert query["cursor"] is None


def test_invalid_page_is_422(privacy: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    limits, cursors = ("0", "101", "x"), ("x", "-1", str(2**31))
    queries = (*({"limit": limit} for limit in limits), *({"cursor": cursor} for cursor in cursors))
    for case, query in product(("read_export", "list_exports", "list_erasures"), queries):
        with subtests.test(f"{case} {query}"):
            request = with_query(privacy_request(case, tenant_of(acme)), **query)
            problem_of(privacy(request), request, 422, "invalid")


def test_sweep_mails_that_the_export_is_ready(
    privacy: Function, privacy_jobs: Function, start: Start, acme: Provisioned, mails: Mails
) -> None:
    privacy(privacy_request("export", tenant_of(acme)))
    privacy_jobs(EVERY_MINUTE)
    sent_before = len(mails())

    assert "export_mail" in start("sweep")(sample("sweep", "every_minute"))["done"]
    assert [recipient for recipient, _ in mails()[sent_before:]] == ["admin@acme.example"]


@pytest.mark.parametrize("case", ["erase_device", "erase_user"])
def test_erasure_is_done_and_shows_its_counts(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    [(kind, name)] = json.loads(sample("privacy", case)["body"]).items()
    named = {"device_id": name} if kind == "device_id" else {"user_properties": {kind: name}}

    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, [1, 2], at=datetime.now(UTC), **named)
        store(databases, provisioned.organization.id, [3], at=datetime.now(UTC))

    asked = answer_of(privacy(privacy_request(case, tenant_of(acme))))

    assert (asked.status, asked.document["status"]) == (202, "pending")
    assert asked.document["events"] == {"before": None, "after": None}
    assert name not in asked.body
    assert privacy_jobs(EVERY_MINUTE) == {**NOTHING, "erasures": 1}

    answer = answer_of(privacy(privacy_request("read_erasure", tenant_of(acme), asked.document["id"])))

    assert (answer.status, answer.document["status"]) == (200, "erased")
    assert answer.document["events"] == {"before": 2, "after": 0}
    assert answer.document["held_events"] == {"before": 0, "after": 0}
    assert name not in answer.body


def test_pending_erasures_are_limited(
    privacy: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    request = privacy_request("erase_device", tenant_of(acme))
    assert answer_of(privacy(request)).status == 202

    repeat_erasures(databases, MAX_PENDING_ERASURES - 2)
    assert answer_of(privacy(request)).status == 202
    problem_of(privacy(request), request, 409, "conflict")
    assert count_jobs(databases) == [(0, MAX_PENDING_ERASURES)]
    assert answer_of(privacy(privacy_request("erase_device", tenant_of(globex)))).status == 202


def test_erasure_names_exactly_one_subject(
    privacy: Function, databases: Databases, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    bodies: list[object] = [
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
    ]

    for body in bodies:
        with subtests.test(str(body)[:40]):
            request = with_body(privacy_request("erase_device", tenant_of(acme)), body)
            problem_of(privacy(request), request, 422, "invalid")

    assert count_jobs(databases) == [(0, 0)]


def test_neither_answer_nor_log_names_the_subject(
    privacy: Function, privacy_jobs: Function, databases: Databases, acme: Provisioned, logged: LogLines
) -> None:
    store(databases, acme.organization.id, [1], at=datetime.now(UTC), device_id=NAME)
    for body in ({"device_id": NAME}, {"device_id": NAME, "user_id": NAME}, {"user_id": NAME * 20}):
        answer = answer_of(privacy(with_body(privacy_request("erase_device", tenant_of(acme)), body)))
        assert NAME not in answer.body

    privacy(with_body(privacy_request("erase_device", tenant_of(acme)), {NAME: NAME}))
    privacy_jobs(EVERY_MINUTE)

    assert logged()
    assert NAME not in json.dumps(logged())


def test_exports_and_erasures_need_their_own_permission(
    privacy: Function, databases: Databases, acme: Provisioned
) -> None:
    for permission, cases in (
        (EXPORTS_WRITE, ("export", "read_export", "list_exports")),
        (ERASURES_WRITE, ("erase_device", "read_erasure", "list_erasures")),
    ):
        for case in cases:
            request = privacy_request(case, tenant_of(acme, scopes=PERMISSIONS - {permission}))
            problem_of(privacy(request), request, 403, "forbidden")

    for case in ("export", "read_export", "list_exports", "erase_device", "read_erasure", "list_erasures"):
        request = called_by(sample("privacy", case), OPERATOR)
        problem_of(privacy(request), request, 403, "forbidden")

    assert count_jobs(databases) == [(0, 0)]


def test_job_of_another_organization_is_like_an_unknown_one(
    privacy: Function, acme: Provisioned, globex: Provisioned
) -> None:
    for asked, read in (("export", "read_export"), ("erase_device", "read_erasure")):
        job_id = answer_of(privacy(privacy_request(asked, tenant_of(acme)))).document["id"]

        assert answer_of(privacy(privacy_request(read, tenant_of(acme), job_id))).status == 200

        problems = []
        for each in (job_id, uuid4()):
            request = privacy_request(read, tenant_of(globex), each)
            problems.append(problem_of(privacy(request), request, 404, "not_found")["detail"])

        assert problems[0] == problems[1]

        request = privacy_request(read, tenant_of(acme), "no-uuid")
        problem_of(privacy(request), request, 422, "invalid")


@pytest.mark.usefixtures("secrets")
def test_run_fails_if_a_store_is_unreachable_and_is_repeated(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned, nowhere: str
) -> None:
    privacy = start("privacy")
    for case in ("export", "erase_device"):
        privacy(privacy_request(case, tenant_of(acme)))

    for name in (CLICKHOUSE, CLICKHOUSE_READER):
        put_secret(name, f"http://{nowhere}/default")

    with pytest.raises(UnavailableError):
        start("privacy_jobs")(EVERY_MINUTE)

    with superuser(databases) as conn:
        for table in ("exports", "erasures"):
            conn.execute(f"UPDATE {table} SET due_at = now() - interval '1 second'")

    for name in (CLICKHOUSE, CLICKHOUSE_READER):
        put_secret(name, databases.servers.clickhouse_url(databases.name))

    assert start("privacy_jobs")(EVERY_MINUTE) == {**NOTHING, "erasures": 1, "exports": 1}

    put_secret(PLATFORM_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    with pytest.raises(UnavailableError):
        start("privacy_jobs")(EVERY_MINUTE)
