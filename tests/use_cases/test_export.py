"""An export has all data of one organization, also if its worker crashes."""

import base64
import json
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from tenancy.errors import NotFoundError
from tenancy.rules.audit_record import AuditOutcome
from tenancy.rules.durations import PRIVACY_JOB_CLAIM_TIME
from tenancy.rules.exports import ExportStatus
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.platform.leases import has_claimed_jobs
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.privacy import export_pages, write_export
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.brand_images import png_of
from tests.given import REGION, Databases
from tests.handlers.conftest import mails
from tests.handlers.functions import Mails, superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import (
    EXPORTS,
    ask_export,
    export,
    exported_rows,
    objects,
    rows_in,
    run_jobs,
    store_sample_data,
    time_for,
)
from tests.use_cases.storing import store_of_app

__all__ = ["mails"]
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def test_export_has_all_data_of_one_organization_only(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    store_sample_data(databases, acme, "of acme")
    store_sample_data(databases, globex, "of globex", events=30)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    export_id = ask_export(databases, acme, NOW)

    assert run_jobs(databases, NOW).exports == 1

    rows = exported_rows(acme)
    assert list(rows) == list(export_pages.SECTIONS)
    assert [row["id"] for row in rows["organization"]] == [str(acme.organization.id)]
    assert [row["overrides"] for row in rows["organization"]] == [{}]
    assert [row["email"] for row in rows["users"]] == ["admin@acme.example"]
    assert {row["id"] for row in rows["api_keys"]} == {str(acme.secret_key_id), *(r["id"] for r in rows["api_keys"])}
    assert sorted(row["event_id"] for row in rows["events"]) == sorted(f"event-{number}" for number in range(12))
    assert [row["reason"] for row in rows["held_events"]] == ["quota", "quota"]
    assert sum(row["events"] for row in rows["usage"]) == sum(row["events"] for row in rows["daily_statistics"]) == 12
    assert [row["amount"] for row in rows["ledger"]] == [7]
    assert [row["sender_address"] for row in rows["branding"]] == ["hello@acme.example"]
    assert [base64.b64decode(row["content_base64"]) for row in rows["branding_images"]] == [png_of()]
    assert "organization.provisioned" in {row["action"] for row in rows["audit_log"]}

    first = rows["events"][0]
    assert (first["revenue"], first["currency"], first["event_name"]) == ("1.250000", "EUR", "of acme")
    assert first["event_timestamp"].endswith("Z")
    assert json.loads(first["properties"])["number"] in range(12)

    everything = json.dumps(rows)

    for foreign in ("globex", str(globex.organization.id), "password", "argon2", "digest"):
        assert foreign not in everything
    assert all(key.startswith(f"{acme.organization.id}/{export_id}/") for key in objects())


def test_export_has_the_app_of_each_event(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    for number, app_id in enumerate((None, acme.app_id)):
        store_of_app(databases, acme.organization.id, app_id, [number], at=NOW)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    ask_export(databases, acme, NOW)
    run_jobs(databases, NOW)

    rows = exported_rows(acme)
    assert {row["event_id"]: row["app_id"] for row in rows["events"]} == {"event-0": None, "event-1": str(acme.app_id)}
    assert sorted((row["app_id"] or "", row["events"]) for row in rows["daily_statistics"]) == [
        ("", 1),
        (str(acme.app_id), 1),
    ]


def test_manifest_lists_every_file_and_its_rows(databases: Databases, acme: Provisioned) -> None:
    store_sample_data(databases, acme, "of acme")
    export_id = ask_export(databases, acme, NOW)
    run_jobs(databases, NOW)
    files = objects()

    manifest = json.loads(files.pop(f"{acme.organization.id}/{export_id}/0/manifest.json"))

    assert {f"{acme.organization.id}/{file['name']}" for file in manifest["files"]} == set(files)
    assert manifest["rows"]["events"] == 12
    for file in manifest["files"]:
        assert len(rows_in(files[f"{acme.organization.id}/{file['name']}"])) == file["row_count"]


def test_crashed_export_resumes_after_its_claim_expires(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    monkeypatch.setattr(write_export, "FILE_BYTES", 1)
    store_sample_data(databases, acme, "of acme")
    export_id = ask_export(databases, acme, NOW)

    with monkeypatch.context() as patch:
        patch.setattr(Exports, "put", crashing_put := _CrashAfterFiles("events", 3))
        with pytest.raises(_CrashError):
            run_jobs(databases, NOW)

    assert crashing_put.left == 0
    assert run_jobs(databases, NOW + MINUTE).exports == 0  # the claim of the crashed worker is still valid

    half = set(objects())
    after_claim = NOW + PRIVACY_JOB_CLAIM_TIME
    assert run_jobs(databases, after_claim).exports == 1
    assert half <= set(objects())

    events = [row["event_id"] for row in exported_rows(acme)["events"]]
    assert sorted(events) == sorted(f"event-{number}" for number in range(12))
    assert export(databases, acme, export_id, after_claim)[0].status is ExportStatus.DONE
    assert run_jobs(databases, after_claim + DAY).exports == 0


class _CrashError(Exception):
    """The worker crashes."""


class _CrashAfterFiles:
    """Stores files and crashes after a number of files of one section.

    The last file is stored, but not recorded.
    """

    def __init__(self, section: str, files: int) -> None:
        self.left = files
        self._section = section
        self._put = Exports.put

    def __get__(self, exports: Exports, _: type) -> Callable[[UUID, str, bytes], None]:
        return lambda organization_id, name, content: self.put(exports, organization_id, name, content)

    def put(self, exports: Exports, organization_id: UUID, name: str, content: bytes) -> None:
        self._put(exports, organization_id, name, content)
        if f"-{self._section}." in name:
            self.left -= 1
            if not self.left:
                raise _CrashError


def test_long_export_continues_in_the_next_run(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    store_sample_data(databases, acme, "of acme")
    ask_export(databases, acme, NOW)
    runs = 0

    while not run_jobs(databases, NOW + runs * MINUTE, time_for(4)).exports:
        runs += 1
        assert runs < 50

    assert runs > 3
    assert len(exported_rows(acme)["events"]) == 12


def test_export_is_postponed_when_s3_is_unreachable(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = ask_export(databases, acme, NOW)

    with monkeypatch.context() as patch:
        patch.setattr("tests.use_cases.privacy_jobs.EXPORTS", Exports(REGION, "no-such-bucket", path_style=True))
        done = run_jobs(databases, NOW)

    assert (done.exports, done.postponed) == (0, 1)
    assert run_jobs(databases, NOW + MINUTE).exports == 1
    assert export(databases, acme, export_id, NOW)[0].status is ExportStatus.DONE


def test_second_request_returns_the_pending_export(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    first = ask_export(databases, acme, NOW)

    assert ask_export(databases, acme, NOW + MINUTE) == first
    assert ask_export(databases, globex, NOW) != first

    run_jobs(databases, NOW)
    assert ask_export(databases, acme, NOW + MINUTE) != first


def test_mail_has_working_links_and_the_outbox_has_none(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, mails: Mails
) -> None:
    store_sample_data(databases, acme, "of acme")
    export_id = ask_export(databases, acme, NOW)

    run_jobs(databases, NOW)

    with superuser(databases) as conn:
        [(payload,)] = conn.execute("SELECT payload::text FROM outbox WHERE kind = 'export_mail'").fetchall()
    assert "http" not in payload
    assert json.loads(payload)["names"][0] == f"{export_id}/0/manifest.json"
    assert "Signature" not in payload
    assert run_due_entries(databases.platform, targets, now=NOW).done == ("export_mail",)
    assert mails()[-1] == ("admin@acme.example", "Your organization's data is ready")

    _, links = export(databases, acme, export_id, NOW)
    assert set(links) == {key.partition("/")[2] for key in objects() if key.endswith(".gz")}

    for name, link in links.items():
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == objects()[f"{acme.organization.id}/{name}"]


def test_mail_of_many_files_is_limited_to_20_links(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 1)
    monkeypatch.setattr(write_export, "FILE_BYTES", 1)
    store_sample_data(databases, acme, "of acme", events=24)
    export_id = ask_export(databases, acme, NOW)

    run_jobs(databases, NOW)

    with superuser(databases) as conn:
        [(payload,)] = conn.execute("SELECT payload FROM outbox WHERE kind = 'export_mail'").fetchall()
    assert payload["names"][0] == f"{export_id}/0/manifest.json"
    assert (len(payload["names"]), payload["files"]) == (20, len(objects()))


def test_mail_goes_only_to_the_person_who_requested_it(databases: Databases, acme: Provisioned) -> None:
    analyst = UUID("0a000000-0000-4000-8000-00000000000a")

    with superuser(databases) as conn:
        conn.execute(
            "INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, 'ann@acme.example', 'admin')",
            (analyst, acme.organization.id),
        )
        export_id = ask_export(databases, acme, NOW)
        conn.execute("UPDATE exports SET actor_kind = 'person', actor_id = %s WHERE id = %s", (analyst, export_id))
        run_jobs(databases, NOW)
        addresses = conn.execute("SELECT payload ->> 'to' FROM outbox WHERE kind = 'export_mail'").fetchall()

    assert addresses == [("ann@acme.example",)]


def test_links_end_after_a_week(databases: Databases, acme: Provisioned) -> None:
    export_id = ask_export(databases, acme, NOW)

    run_jobs(databases, NOW)

    assert export(databases, acme, export_id, NOW + 7 * DAY - MINUTE)[1]
    assert export(databases, acme, export_id, NOW + 7 * DAY)[1] == {}


def test_only_files_of_expired_exports_are_deleted(
    databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = ask_export(databases, acme, NOW)
    run_jobs(databases, NOW)
    kept = {ask_export(databases, provisioned, NOW + MINUTE) for provisioned in (acme, globex)}
    run_jobs(databases, NOW + MINUTE)

    EXPORTS.put(acme.organization.id, f"{expired}/7/left", b"of a crashed worker")

    assert run_jobs(databases, NOW + 7 * DAY - MINUTE).expired == 0
    assert {UUID(key.split("/")[1]) for key in objects()} == {expired, *kept}

    with monkeypatch.context() as patch:
        patch.setattr("tests.use_cases.privacy_jobs.EXPORTS", Exports(REGION, "no-such-bucket", path_style=True))
        assert run_jobs(databases, NOW + 7 * DAY).postponed == 1

    assert [run_jobs(databases, NOW + 7 * DAY, time_for(0)).expired for _ in range(2)] == [1, 0]
    assert {UUID(key.split("/")[1]) for key in objects()} == kept
    assert run_jobs(databases, NOW + 8 * DAY).expired == 2
    assert objects() == {}
    assert export(databases, acme, expired, NOW + 8 * DAY)[0].status is ExportStatus.DONE


def test_expiring_export_is_no_claimed_job(databases: Databases, acme: Provisioned) -> None:
    ask_export(databases, acme, NOW)
    run_jobs(databases, NOW)

    with databases.platform.transaction() as conn:
        shortly = NOW + 7 * DAY - MINUTE
        assert not has_claimed_jobs(conn, acme.organization.id, now=shortly, until=shortly + PRIVACY_JOB_CLAIM_TIME)


def test_export_of_another_organization_is_not_found(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    export_id = ask_export(databases, acme, NOW)
    run_jobs(databases, NOW)

    with pytest.raises(NotFoundError):
        export(databases, globex, export_id, NOW)


def test_repeated_request_is_recorded_once(databases: Databases, acme: Provisioned) -> None:
    export_id = ask_export(databases, acme, NOW)

    ask_export(databases, acme, NOW)

    with superuser(databases) as conn:
        found = conn.execute(
            "SELECT target, outcome, actor_id FROM audit_log WHERE action = 'export.requested'"
        ).fetchall()
    assert found == [(str(export_id), AuditOutcome.DONE, acme.secret_key_id)]
