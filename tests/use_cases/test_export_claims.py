"""One worker at a time writes an export, and concurrent requests share one export."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.durations import PRIVACY_JOB_CLAIM_TIME
from tenancy.rules.exports import ExportJob
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.exports import insert_export
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy import export_pages, write_export
from tenancy.use_cases.privacy import request_export as request_export_module
from tenancy.use_cases.privacy.request_export import request_export
from tenancy.use_cases.privacy.write_export import claim_due_export, postpone_export
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import (
    actor_of,
    ask_export,
    exported_rows,
    objects,
    run_jobs,
    store_sample_data,
    time_for,
    unlimited_time,
)

MINUTE = timedelta(minutes=1)
LATER = NOW + PRIVACY_JOB_CLAIM_TIME
COUNT_WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
COUNT_MAILS = "SELECT count(*) FROM outbox WHERE kind = 'export_mail'"


def claimed(databases: Databases, now: timedelta = timedelta()) -> ExportJob:
    job = claim_due_export(databases.platform, now=NOW + now)
    assert job is not None
    return job


def ask_on_another_connection(databases: Databases, provisioned: Provisioned) -> UUID:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    with closing(Database(lambda: url)) as db:
        return request_export(db, tenant_of(provisioned), actor_of(provisioned), now=NOW).id


def test_concurrent_requests_return_one_export(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as pool, superuser(databases) as conn, monkeypatch.context() as patch:
        others: list[Future[UUID]] = []

        def insert_and_be_joined(*values: Any, **named: Any) -> None:  # noqa: ANN401 - passed on unchanged
            patch.undo()
            others.append(pool.submit(ask_on_another_connection, databases, acme))
            while not others[0].done() and conn.execute(COUNT_WAITING).fetchall() == [(0,)]:
                time.sleep(0.01)
            insert_export(*values, **named)

        patch.setattr(request_export_module, "insert_export", insert_and_be_joined)

        asked = ask_export(databases, acme, NOW)

        assert others[0].result() == asked
        assert conn.execute("SELECT id FROM exports").fetchall() == [(asked,)]


def test_lost_claim_cannot_postpone_the_export(databases: Databases, acme: Provisioned) -> None:
    ask_export(databases, acme, NOW)
    lost, current = claimed(databases), claimed(databases, PRIVACY_JOB_CLAIM_TIME)

    postpone_export(databases.platform, lost, due_at=LATER)

    assert claim_due_export(databases.platform, now=LATER) is None

    postpone_export(databases.platform, current, due_at=LATER)
    assert claimed(databases, PRIVACY_JOB_CLAIM_TIME).id == current.id


def test_s3_failure_between_files_postpones_the_rest(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_sample_data(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    put = Exports.put

    def put_but_events(self: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        if "-events." in name:
            raise UnavailableError("S3 does not take the file.")
        put(self, organization_id, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Exports, "put", put_but_events)
        assert run_jobs(databases, NOW).postponed == 1

    assert run_jobs(databases, NOW).exports == 0
    assert run_jobs(databases, NOW + MINUTE).exports == 1


@pytest.mark.parametrize("section", ["organization", "events", "manifest"])
@pytest.mark.parametrize("turns", [5, 12, None], ids=str)
def test_overtaken_export_worker_changes_nothing(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, section: str, turns: int | None
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    monkeypatch.setattr(write_export, "FILE_BYTES", 1)
    store_sample_data(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    put, overtaken, exports, left = Exports.put, iter([True]), list[int](), dict[str, bytes]()

    def put_and_be_overtaken(self: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        put(self, organization_id, name, content)
        if section in name and next(overtaken, False):
            exports.append(run_jobs(databases, LATER, time_for(turns) if turns else unlimited_time).exports)
            left.update(objects())

    monkeypatch.setattr(Exports, "put", put_and_be_overtaken)

    assert run_jobs(databases, NOW).exports == 0
    assert left
    assert objects() == left

    exports.append(run_jobs(databases, LATER).exports)
    assert sum(exports) == 1

    events = [row["event_id"] for row in exported_rows(acme)["events"]]
    assert sorted(events) == sorted(f"event-{number}" for number in range(12))
    with superuser(databases) as conn:
        assert conn.execute(COUNT_MAILS).fetchall() == [(1,)]
