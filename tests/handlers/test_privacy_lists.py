"""GET /v1/exports and GET /v1/erasures: pages, newest first, of the caller's organization alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tenancy.rules.erasures import SubjectKind, hash_subject
from tenancy.stores.postgres.erasures import insert_erasure
from tenancy.stores.postgres.exports import insert_export
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import answer_of, called_by, problem_of, sample, with_path, with_query
from tests.use_cases.privacy_jobs import actor_of

CASES = ("list_exports", "list_erasures")
MOMENT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
EVERY_MINUTE = sample("privacy_jobs", "every_minute")
FINISH = "UPDATE exports SET status = 'done', finished_at = now(), expires_at = now() + %s WHERE id = %s"


@pytest.fixture
def privacy(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("privacy")


def insert_jobs(databases: Databases, provisioned: Provisioned, case: str, numbers: range) -> list[str]:
    """Insert jobs, two at each time, and return their ids, newest first."""
    organization_id, actor = provisioned.organization.id, actor_of(provisioned)
    jobs: list[tuple[datetime, UUID]] = [(MOMENT + timedelta(seconds=number // 2), uuid4()) for number in numbers]
    with databases.functions.tenant_transaction(organization_id) as conn:
        for now, job_id in jobs:
            if case == "list_exports":
                insert_export(conn, organization_id, job_id, actor, now=now)
            else:
                subject = hash_subject(SubjectKind.DEVICE_ID, "device")
                insert_erasure(conn, organization_id, job_id, actor, subject=subject, now=now)
    return [str(job_id) for _, job_id in sorted(jobs, reverse=True)]


def pages(privacy: Function, provisioned: Provisioned, case: str, **query: str) -> Iterator[list[dict[str, Any]]]:
    while True:
        request = called_by(with_query(sample("privacy", case), **query), tenant_of(provisioned))
        document = answer_of(privacy(request)).document
        yield document["data"]
        if not document["pagination"]["has_more"]:
            assert document["pagination"]["next_cursor"] is None
            return
        query["cursor"] = document["pagination"]["next_cursor"]


@pytest.mark.parametrize("case", CASES)
def test_jobs_are_listed_in_pages_newest_first(
    privacy: Function, databases: Databases, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    newest_first = insert_jobs(databases, acme, case, range(7))
    insert_jobs(databases, globex, case, range(3))

    parts = list(pages(privacy, acme, case, limit="3"))
    [whole] = pages(privacy, acme, case)

    assert [len(part) for part in parts] == [3, 3, 1]
    assert [job["id"] for part in parts for job in part] == newest_first
    assert whole == [job for part in parts for job in part]


@pytest.mark.parametrize("case", CASES)
def test_new_jobs_do_not_move_the_next_page(
    privacy: Function, databases: Databases, acme: Provisioned, case: str
) -> None:
    before = insert_jobs(databases, acme, case, range(4))
    read = pages(privacy, acme, case, limit="2")
    seen = [*next(read)]
    insert_jobs(databases, acme, case, range(4, 8))

    seen += [job for part in read for job in part]

    assert [job["id"] for job in seen] == before


@pytest.mark.parametrize(("listed", "read"), [("list_exports", "read_export"), ("list_erasures", "read_erasure")])
def test_listed_job_is_as_it_is_shown(
    privacy: Function, databases: Databases, acme: Provisioned, listed: str, read: str
) -> None:
    [job_id] = insert_jobs(databases, acme, listed, range(1))

    [[job]] = pages(privacy, acme, listed)

    assert job == answer_of(privacy(read_request(acme, read, job_id))).document


def read_request(provisioned: Provisioned, case: str, job_id: str, **query: str) -> dict[str, Any]:
    request = sample("privacy", case)
    [name] = request["pathParameters"]
    path = request["resource"].replace(f"{{{name}}}", job_id)
    request = {**with_path(request, path, request["resource"]), "pathParameters": {name: job_id}}
    return called_by(with_query(request, **query), tenant_of(provisioned))


def test_listed_export_leads_to_its_files(
    privacy: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    insert_jobs(databases, acme, "list_exports", range(1))
    start("privacy_jobs")(EVERY_MINUTE)

    [[export]] = pages(privacy, acme, "list_exports")

    shown = answer_of(privacy(read_request(acme, "read_export", export["id"]))).document
    cursor = export["pagination"]["next_cursor"]
    rest = answer_of(privacy(read_request(acme, "read_export", export["id"], cursor=cursor))).document
    assert (export["status"], export["files"], export["pagination"]["has_more"]) == ("done", [], True)
    assert export["manifest"].partition("?")[0] == shown["manifest"].partition("?")[0]
    assert [file["name"] for file in rest["files"]] == [file["name"] for file in shown["files"]] != []


def test_listed_export_without_files_has_no_links(privacy: Function, databases: Databases, acme: Provisioned) -> None:
    [expired, pending] = insert_jobs(databases, acme, "list_exports", range(2))
    with superuser(databases) as conn:
        conn.execute(FINISH, (timedelta(seconds=-1), expired))

    [exports] = pages(privacy, acme, "list_exports")

    assert [(each["id"], each["status"]) for each in exports] == [(expired, "expired"), (pending, "pending")]
    assert [(each["manifest"], each["pagination"]["has_more"]) for each in exports] == [(None, False)] * 2


def test_cursor_of_files_ends_with_their_generation(
    privacy: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    [export_id] = insert_jobs(databases, acme, "list_exports", range(1))
    start("privacy_jobs")(EVERY_MINUTE)
    page = answer_of(privacy(read_request(acme, "read_export", export_id, limit="1"))).document
    with superuser(databases) as conn:
        conn.execute("UPDATE exports SET generation = generation + 1")

    request = read_request(acme, "read_export", export_id, limit="1", cursor=page["pagination"]["next_cursor"])

    problem_of(privacy(request), request, 422, "invalid")
