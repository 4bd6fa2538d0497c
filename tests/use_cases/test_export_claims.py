"""An export is one worker's at a time, and one organization's requests at once are one export."""

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
from tests.use_cases.privacy_jobs import actor_of, always, ask_export, exported, fill, objects, times, work

MINUTE = timedelta(minutes=1)
LATER = NOW + PRIVACY_JOB_CLAIM_TIME
COUNT_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
COUNT_MAILS = "SELECT count(*) FROM outbox WHERE kind = 'export_mail'"


def claimed(databases: Databases, now: timedelta = timedelta()) -> ExportJob:
    job = claim_due_export(databases.platform, now=NOW + now)
    assert job is not None
    return job


def ask_on_another_connection(databases: Databases, who: Provisioned) -> UUID:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    with closing(Database(lambda: url)) as db:
        return request_export(db, tenant_of(who), actor_of(who), now=NOW).id


def test_requests_at_once_ask_for_one_export(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as pool, superuser(databases) as conn, monkeypatch.context() as patch:
        others: list[Future[UUID]] = []

        def insert_and_be_joined(*values: Any, **named: Any) -> None:  # noqa: ANN401 - as it is called
            patch.undo()
            others.append(pool.submit(ask_on_another_connection, databases, acme))
            while not others[0].done() and conn.execute(COUNT_WAITING).fetchall() == [(0,)]:
                pass
            insert_export(*values, **named)

        patch.setattr(request_export_module, "insert_export", insert_and_be_joined)
        asked = ask_export(databases, acme, NOW)
        assert others[0].result() == asked
        assert conn.execute("SELECT id FROM exports").fetchall() == [(asked,)]


def test_who_has_lost_an_export_does_not_give_it_back(databases: Databases, acme: Provisioned) -> None:
    ask_export(databases, acme, NOW)
    lost, own = claimed(databases), claimed(databases, PRIVACY_JOB_CLAIM_TIME)
    postpone_export(databases.platform, lost, due_at=LATER)
    assert claim_due_export(databases.platform, now=LATER) is None
    postpone_export(databases.platform, own, due_at=LATER)
    assert claimed(databases, PRIVACY_JOB_CLAIM_TIME).id == own.id


def test_a_store_that_is_away_after_some_files_puts_the_rest_off_for_a_minute(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    put = Exports.put

    def put_but_events(self: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        if "-events." in name:
            raise UnavailableError("S3 does not take the file.")
        put(self, organization_id, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Exports, "put", put_but_events)
        assert work(databases, NOW).put_off == 1
    assert work(databases, NOW).exports == 0
    assert work(databases, NOW + MINUTE).exports == 1


@pytest.mark.parametrize("section", ["organization", "events", "manifest"])
@pytest.mark.parametrize("turns", [5, 12, None], ids=str)
def test_a_worker_that_another_one_has_overtaken_changes_nothing(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, section: str, turns: int | None
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    monkeypatch.setattr(write_export, "FILE_BYTES", 1)
    fill(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    put, overtaken, exports, left = Exports.put, iter([True]), list[int](), dict[str, bytes]()

    def put_and_be_overtaken(self: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        put(self, organization_id, name, content)
        if section in name and next(overtaken, False):
            exports.append(work(databases, LATER, times(turns) if turns else always).exports)
            left.update(objects())

    monkeypatch.setattr(Exports, "put", put_and_be_overtaken)
    assert work(databases, NOW).exports == 0
    assert left
    assert objects() == left
    exports.append(work(databases, LATER).exports)
    assert sum(exports) == 1
    events = [row["event_id"] for row in exported(acme)["events"]]
    assert sorted(events) == sorted(f"event-{number}" for number in range(12))
    with superuser(databases) as conn:
        assert conn.execute(COUNT_MAILS).fetchall() == [(1,)]
