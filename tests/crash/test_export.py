"""An export whose worker dies at any moment: the next one ends it with the right files, each row and each mail once."""

import hashlib
import json
from collections.abc import Callable
from itertools import count
from typing import NamedTuple
from uuid import UUID

import pytest

from tenancy.rules.durations import EXPORT_FILE_RETENTION, PRIVACY_JOB_CLAIM_TIME
from tenancy.use_cases.organizations.provision import provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.privacy import export_pages, write_export
from tests.crash.aftermath import Aftermath
from tests.crash.deaths import deaths
from tests.given import NOW, OPERATOR, Databases, new_organization
from tests.use_cases.privacy_jobs import EXPORTS, ask_export, objects, rows_in, work
from tests.use_cases.storing import put

EVENTS = 3
LATER = NOW + PRIVACY_JOB_CLAIM_TIME
SECTIONS = ("users", "daily_statistics", "events")  # one with each kind of position: the others are read alike
INSERT_USER = "INSERT INTO users (id, organization_id, email, role) VALUES (gen_random_uuid(), %s, %s, 'super_admin')"
FIND_STATE = "SELECT status, position, expires_at, due_at FROM exports WHERE id = %s"
LIST_FILES = "SELECT name, section, row_count FROM export_files WHERE export_id = %s ORDER BY number"
LIST_MAILED = """
    SELECT payload ->> 'to' FROM outbox WHERE organization_id = %s AND kind = 'export_mail' ORDER BY payload ->> 'to'
"""


class Asked(NamedTuple):
    """An export that was asked for by an organization with two super_admins and three events."""

    organization_id: UUID
    id: UUID

    def objects(self) -> dict[str, bytes]:
        own = f"{self.organization_id}/"
        return {key.removeprefix(own): content for key, content in objects().items() if key.startswith(own)}


@pytest.fixture
def ask(databases: Databases, targets: OutboxTargets, aftermath: Aftermath) -> Callable[[], Asked]:
    numbers = count()

    def ask() -> Asked:
        name = f"acme-{next(numbers)}"
        made = provision_organization(databases.platform, targets, new_organization(name), OPERATOR, now=NOW)
        run_due_entries(databases.platform, targets, now=NOW)
        own = made.organization.id
        aftermath.superuser.execute(INSERT_USER, (own, f"ann@{name}.example"))
        put(databases, own, range(EVENTS), at=NOW)
        return Asked(own, ask_export(databases, made, NOW))

    return ask


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_export, "SECTIONS", {name: export_pages.SECTIONS[name] for name in SECTIONS})
    monkeypatch.setattr(write_export, "FILE_BYTES", 1)
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)


@pytest.mark.usefixtures("small_files")
def test_an_export_has_the_right_files_and_each_mail_is_owed_once_whenever_its_worker_died(
    databases: Databases, aftermath: Aftermath, ask: Callable[[], Asked]
) -> None:
    died = 0
    for death in deaths(ask, lambda _: work(databases, NOW)):
        asked = death.state
        work(databases, LATER)
        assert aftermath.rows(FIND_STATE, (asked.id,))[0][0] == "done", death
        files = asked.objects()
        manifest = json.loads(files.pop(f"{asked.id}/0/manifest.json"))
        assert {each["name"]: each["sha256"] for each in manifest["files"]} == {
            name: hashlib.sha256(content).hexdigest() for name, content in files.items()
        }, death
        noted = [(each["name"], each["section"], each["row_count"]) for each in manifest["files"]]
        assert noted == aftermath.rows(LIST_FILES, (asked.id,)), death
        assert noted == [(name, section, len(rows_in(files[name]))) for name, section, _ in noted], death
        assert manifest["rows"] == {"users": 2, "daily_statistics": 1, "events": EVENTS}, death
        events = [row["event_id"] for name, section, _ in noted if section == "events" for row in rows_in(files[name])]
        assert sorted(events) == [str(number) for number in range(EVENTS)], death
        mailed = [address for (address,) in aftermath.rows(LIST_MAILED, (asked.organization_id,))]
        assert [address.partition("@")[0] for address in mailed] == ["admin", "ann"], death
        EXPORTS.delete_all(asked.organization_id)  # the next look reads what is in the bucket
        died += 1
    assert died > 50


@pytest.mark.usefixtures("small_files")
def test_expired_files_are_gone_whenever_who_deletes_them_died(
    databases: Databases, aftermath: Aftermath, ask: Callable[[], Asked]
) -> None:
    expired, died = NOW + EXPORT_FILE_RETENTION, 0

    def begin() -> Asked:
        asked = ask()
        work(databases, NOW)
        return asked

    for death in deaths(begin, lambda _: work(databases, expired)):
        work(databases, expired)
        assert death.state.objects() == {}, death
        assert aftermath.rows(FIND_STATE, (death.state.id,)) == [("done", None, expired, None)], death
        died += 1
    assert died > 8
