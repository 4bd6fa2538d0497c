"""An erasure withdraws finished exports, restarts pending ones and deletes stale files."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.durations import ERASURE_LATER_PASS_INTERVAL, ERASURE_NEXT_PASS_AFTER
from tenancy.rules.exports import ExportStatus
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.platform.export_jobs import withdraw_exports
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy import erase_subject, export_pages
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import (
    EXPORTS,
    ask_erasure,
    ask_export,
    export,
    exported_rows,
    objects,
    run_jobs,
    store_sample_data,
    time_for,
)

MINUTE = timedelta(minutes=1)


def test_erasure_withdraws_done_exports_and_restarts_pending(
    databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    for provisioned in (acme, globex):
        store_sample_data(databases, provisioned, "of both")
        done = ask_export(databases, provisioned, NOW)
        run_jobs(databases, NOW)
    pending = ask_export(databases, acme, NOW)

    run_jobs(databases, NOW, time_for(16))

    assert any(str(pending) in key for key in objects())

    ask_erasure(databases, acme, "device-1", NOW)

    assert run_jobs(databases, NOW, time_for(1)).erasures == 1
    assert {key.partition("/")[0] for key in objects()} == {str(globex.organization.id)}
    assert export(databases, globex, done, NOW)[0].status is ExportStatus.DONE
    assert run_jobs(databases, NOW + MINUTE).exports == 1
    assert {key.split("/")[2] for key in objects() if str(acme.organization.id) in key} == {"1"}
    assert "device-1" not in {row["device_id"] for row in exported_rows(acme)["events"]}
    assert len(exported_rows(acme)["events"]) == 10


def test_worker_overtaken_by_an_erasure_leaves_no_files(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_sample_data(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    put = Exports.put

    def put_and_be_overtaken(self: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        put(self, organization_id, name, content)
        if "-events." in name and "/0/" in name:
            ask_erasure(databases, acme, "device-1", NOW)
            run_jobs(databases, NOW, time_for(1))
            put(self, organization_id, name, content)  # a late retry of the same file

    monkeypatch.setattr(Exports, "put", put_and_be_overtaken)

    run_jobs(databases, NOW, time_for(30))

    assert [key for key in objects() if "/0/" in key] == []


def test_files_of_the_next_generation_survive_a_withdrawal(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_sample_data(databases, acme, "of acme")
    pending = ask_export(databases, acme, NOW)
    run_jobs(databases, NOW, time_for(8))
    ask_erasure(databases, acme, "device-1", NOW)

    def withdraw_and_be_overtaken(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
        withdraw_exports(conn, organization_id, now=now)
        EXPORTS.put(organization_id, f"{pending}/1/00001-organization.jsonl.gz", b"the next generation's")

    monkeypatch.setattr(erase_subject, "withdraw_exports", withdraw_and_be_overtaken)

    assert run_jobs(databases, NOW, time_for(1)).erasures == 1
    assert list(objects()) == [f"{acme.organization.id}/{pending}/1/00001-organization.jsonl.gz"]


def test_resumed_export_deletes_files_of_older_generations(databases: Databases, acme: Provisioned) -> None:
    export_id = ask_export(databases, acme, NOW)
    with superuser(databases) as conn:
        conn.execute("UPDATE exports SET generation = 11")

    for generation in (0, 1, 10, 11):
        EXPORTS.put(acme.organization.id, f"{export_id}/{generation}/99999-events.jsonl.gz", b"left")

    assert run_jobs(databases, NOW).exports == 1
    assert {key.split("/")[2] for key in objects()} == {"11"}


def test_every_erasure_pass_deletes_stale_export_files(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        ask_erasure(databases, provisioned, "device-1", NOW)

    assert run_jobs(databases, NOW).erasures == 2

    done, withdrawn = (finished_export(databases, provisioned) for provisioned in (acme, globex))
    with superuser(databases) as conn:
        conn.execute("UPDATE exports SET generation = 1 WHERE id = %s", (done,))
        conn.execute("UPDATE exports SET status = 'withdrawn' WHERE id = %s", (withdrawn,))

    for moment in (NOW + ERASURE_NEXT_PASS_AFTER, NOW + ERASURE_NEXT_PASS_AFTER + ERASURE_LATER_PASS_INTERVAL):
        EXPORTS.put(acme.organization.id, f"{done}/0/99999-events.jsonl.gz", b"stale")
        EXPORTS.put(acme.organization.id, f"{done}/1/99999-events.jsonl.gz", b"current")
        EXPORTS.put(globex.organization.id, f"{withdrawn}/0/99999-events.jsonl.gz", b"stale")

        assert run_jobs(databases, moment).erasures == 2
        assert list(objects()) == [f"{acme.organization.id}/{done}/1/99999-events.jsonl.gz"]


def finished_export(databases: Databases, provisioned: Provisioned) -> UUID:
    """Return the id of a finished export that contains no data subject."""
    export_id = ask_export(databases, provisioned, NOW)
    run_jobs(databases, NOW)
    return export_id
