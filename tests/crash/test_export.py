"""An export with a worker that crashes at any moment.

The next worker completes it, with each row and each mail once.
"""

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
from tests.crash.crashes import Crash, crashes
from tests.given import NOW, OPERATOR, Databases, new_organization
from tests.use_cases.privacy_jobs import EXPORTS, ask_export, objects, rows_in, run_jobs
from tests.use_cases.storing import put

pytestmark = pytest.mark.exhaustive

EVENTS = 3
LATER = NOW + PRIVACY_JOB_CLAIM_TIME
SECTIONS = ("users", "daily_statistics", "events")  # one of each kind of position
INSERT_USER = "INSERT INTO users (id, organization_id, email, role) VALUES (gen_random_uuid(), %s, %s, 'super_admin')"
FIND_STATE = "SELECT status, position, expires_at, due_at FROM exports WHERE id = %s"
LIST_FILES = "SELECT name, section, row_count FROM export_files WHERE export_id = %s ORDER BY number"
LIST_RECIPIENTS = """
    SELECT payload ->> 'to' FROM outbox WHERE organization_id = %s AND kind = 'export_mail' ORDER BY payload ->> 'to'
"""


class RequestedExport(NamedTuple):
    """An export that an organization with two super_admins and three events has requested."""

    organization_id: UUID
    id: UUID

    def objects(self) -> dict[str, bytes]:
        prefix = f"{self.organization_id}/"
        return {key.removeprefix(prefix): content for key, content in objects().items() if key.startswith(prefix)}


@pytest.fixture
def request_export(databases: Databases, targets: OutboxTargets, aftermath: Aftermath) -> Callable[[], RequestedExport]:
    numbers = count()

    def request() -> RequestedExport:
        name = f"acme-{next(numbers)}"
        acme = provision_organization(databases.platform, targets, new_organization(name), OPERATOR, now=NOW)
        run_due_entries(databases.platform, targets, now=NOW)
        organization_id = acme.organization.id
        aftermath.superuser.execute(INSERT_USER, (organization_id, f"ann@{name}.example"))
        put(databases, organization_id, range(EVENTS), at=NOW)
        return RequestedExport(organization_id, ask_export(databases, acme, NOW))

    return request


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_export, "SECTIONS", {name: export_pages.SECTIONS[name] for name in SECTIONS})
    monkeypatch.setattr(write_export, "FILE_BYTES", 1)
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)


@pytest.mark.usefixtures("small_files")
def test_crashed_export_has_each_row_and_each_mail_once(
    databases: Databases, aftermath: Aftermath, request_export: Callable[[], RequestedExport]
) -> None:
    crashed = 0
    for crash in crashes(request_export, lambda _: run_jobs(databases, NOW)):
        run_jobs(databases, LATER)

        assert aftermath.rows(FIND_STATE, (crash.state.id,))[0][0] == "done", crash
        require_whole_files(aftermath, crash)
        recipients = [address for (address,) in aftermath.rows(LIST_RECIPIENTS, (crash.state.organization_id,))]
        assert [address.partition("@")[0] for address in recipients] == ["admin", "ann"], crash
        EXPORTS.delete_all(crash.state.organization_id)  # `objects` reads the whole bucket
        crashed += 1
    assert crashed > 10


def require_whole_files(aftermath: Aftermath, crash: Crash[RequestedExport]) -> None:
    """Require that manifest, database and bucket agree, and that the files have each row once."""
    export = crash.state
    files = export.objects()
    manifest = json.loads(files.pop(f"{export.id}/0/manifest.json"))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert {each["name"]: each["sha256"] for each in manifest["files"]} == digests, crash

    listed = [(each["name"], each["section"], each["row_count"]) for each in manifest["files"]]
    assert listed == aftermath.rows(LIST_FILES, (export.id,)), crash
    assert listed == [(name, section, len(rows_in(files[name]))) for name, section, _ in listed], crash
    assert manifest["rows"] == {"users": 2, "daily_statistics": 1, "events": EVENTS}, crash

    events = [row["event_id"] for name, section, _ in listed if section == "events" for row in rows_in(files[name])]
    assert sorted(events) == [str(number) for number in range(EVENTS)], crash


@pytest.mark.usefixtures("small_files")
def test_crashed_deletion_of_expired_files_is_completed(
    databases: Databases, aftermath: Aftermath, request_export: Callable[[], RequestedExport]
) -> None:
    expired, crashed = NOW + EXPORT_FILE_RETENTION, 0

    def begin() -> RequestedExport:
        export = request_export()
        run_jobs(databases, NOW)
        return export

    for crash in crashes(begin, lambda _: run_jobs(databases, expired)):
        run_jobs(databases, expired)

        assert crash.state.objects() == {}, crash
        assert aftermath.rows(FIND_STATE, (crash.state.id,)) == [("done", None, expired, None)], crash
        crashed += 1
    assert crashed > 1
