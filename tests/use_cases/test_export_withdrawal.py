"""An erasure withdraws what was exported before it, begins anew what is pending, and leaves no stale file behind."""

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
from tests.use_cases.privacy_jobs import EXPORTS, ask_erasure, ask_export, export, exported, fill, objects, times, work

MINUTE = timedelta(minutes=1)


def test_an_erasure_begins_a_pending_export_anew_and_withdraws_one_that_is_done(
    databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    for who in (acme, globex):
        fill(databases, who, "of both")
        done = ask_export(databases, who, NOW)
        work(databases, NOW)
    pending = ask_export(databases, acme, NOW)
    work(databases, NOW, times(16))
    assert any(str(pending) in key for key in objects())
    ask_erasure(databases, acme, "device-1", NOW)
    assert work(databases, NOW, times(1)).erasures == 1
    assert {key.partition("/")[0] for key in objects()} == {str(globex.organization.id)}
    assert export(databases, globex, done, NOW)[0].status is ExportStatus.DONE
    assert work(databases, NOW + MINUTE).exports == 1
    assert {key.split("/")[2] for key in objects() if str(acme.organization.id) in key} == {"1"}
    assert "device-1" not in {row["device_id"] for row in exported(acme)["events"]}
    assert len(exported(acme)["events"]) == 10


def test_a_worker_that_an_erasure_has_overtaken_leaves_nothing_behind(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    put = Exports.put

    def put_and_be_overtaken(self: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        put(self, organization_id, name, content)
        if "-events." in name and "/0/" in name:
            ask_erasure(databases, acme, "device-1", NOW)
            work(databases, NOW, times(1))
            put(self, organization_id, name, content)  # it had been on its way

    monkeypatch.setattr(Exports, "put", put_and_be_overtaken)
    work(databases, NOW, times(14))
    assert [key for key in objects() if "/0/" in key] == []


def test_what_another_worker_writes_while_exports_are_withdrawn_is_kept(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(databases, acme, "of acme")
    pending = ask_export(databases, acme, NOW)
    work(databases, NOW, times(8))
    ask_erasure(databases, acme, "device-1", NOW)

    def withdraw_and_be_overtaken(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
        withdraw_exports(conn, organization_id, now=now)
        EXPORTS.put(organization_id, f"{pending}/1/00001-organization.jsonl.gz", b"the next generation's")

    monkeypatch.setattr(erase_subject, "withdraw_exports", withdraw_and_be_overtaken)
    assert work(databases, NOW, times(1)).erasures == 1
    assert list(objects()) == [f"{acme.organization.id}/{pending}/1/00001-organization.jsonl.gz"]


def test_who_goes_on_with_an_export_deletes_what_earlier_generations_left(
    databases: Databases, acme: Provisioned
) -> None:
    export_id = ask_export(databases, acme, NOW)
    with superuser(databases) as conn:
        conn.execute("UPDATE exports SET generation = 11")
    for generation in (0, 1, 10, 11):
        EXPORTS.put(acme.organization.id, f"{export_id}/{generation}/99999-events.jsonl.gz", b"left")
    assert work(databases, NOW).exports == 1
    assert {key.split("/")[2] for key in objects()} == {"11"}


def test_every_pass_of_an_erasure_deletes_what_a_dead_worker_has_left(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for who in (acme, globex):
        ask_erasure(databases, who, "device-1", NOW)
    assert work(databases, NOW).erasures == 2
    done, withdrawn = (_export_of(databases, who) for who in (acme, globex))
    with superuser(databases) as conn:
        conn.execute("UPDATE exports SET generation = 1 WHERE id = %s", (done,))
        conn.execute("UPDATE exports SET status = 'withdrawn' WHERE id = %s", (withdrawn,))
    for moment in (NOW + ERASURE_NEXT_PASS_AFTER, NOW + ERASURE_NEXT_PASS_AFTER + ERASURE_LATER_PASS_INTERVAL):
        EXPORTS.put(acme.organization.id, f"{done}/0/99999-events.jsonl.gz", b"stale")
        EXPORTS.put(acme.organization.id, f"{done}/1/99999-events.jsonl.gz", b"current")
        EXPORTS.put(globex.organization.id, f"{withdrawn}/0/99999-events.jsonl.gz", b"stale")
        assert work(databases, moment).erasures == 2
        assert list(objects()) == [f"{acme.organization.id}/{done}/1/99999-events.jsonl.gz"]


def _export_of(databases: Databases, who: Provisioned) -> UUID:
    """Return an export without any data subject in it that is done."""
    export_id = ask_export(databases, who, NOW)
    work(databases, NOW)
    return export_id
