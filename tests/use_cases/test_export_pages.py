"""An export has every event of any time once, in pages that always advance."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy import export_pages
from tenancy.use_cases.privacy.export_pages import SECTIONS, ExportSource, SectionPage
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases
from tests.use_cases.admitting import NOW
from tests.use_cases.privacy_jobs import ask_export, exported_rows, insert_held_event, run_jobs
from tests.use_cases.storing import store

TIMES = {
    "0001-01-01 00:00:00.000": 3,
    "1601-01-01 00:00:00.000": 1,
    "1950-06-01 12:00:00.123": 2,
    "1969-12-31 23:59:59.999": 1,
    "2026-11-24 12:00:00.001": 5,
    "2300-01-01 00:00:00.000": 1,
    "9999-12-31 23:59:59.999": 3,
}
EVENTS = sorted(f"{moment} {number}" for moment, events in TIMES.items() for number in range(events))


def pages(source: ExportSource, section: str) -> Iterator[SectionPage]:
    position = None
    while True:
        page = SECTIONS[section](source, position)
        yield page
        if page.position is None:
            return
        assert position is None or list(page.position) > list(position)
        position = page.position


@pytest.mark.parametrize("page_rows", [1, 2, 3, 2_000])
def test_event_of_any_time_is_exported_once(
    databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", page_rows)
    for event_id in EVENTS:
        insert_held_event(databases, acme, event_id, event_id.rpartition(" ")[0])
    for released in ("0001-01-01 00:00:00.000", "2026-11-24 12:00:00.001", "9999-12-31 23:59:59.999"):
        insert_held_event(databases, acme, "released", released, reason="released")

    ask_export(databases, acme, NOW)

    assert run_jobs(databases, NOW).exports == 1

    rows = exported_rows(acme)["held_events"]
    assert [row["event_id"] for row in rows] == EVENTS
    assert rows[0]["event_timestamp"] == "0001-01-01T00:00:00Z"
    assert rows[-1]["event_timestamp"] == "9999-12-31T23:59:59.999000Z"


def test_days_with_only_released_events_are_not_read(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for day in range(1, 9):
        insert_held_event(databases, acme, "released", f"2026-11-0{day} 12:00:00", reason="released")

    insert_held_event(databases, globex, "held", "2026-11-01 12:00:00")

    assert [len(page.lines) for page in pages(source_of(databases, acme), "held_events")] == [0]
    assert [len(page.lines) for page in pages(source_of(databases, globex), "held_events")] == [1, 0]


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_statistics_are_read_in_pages_of_one_day(
    databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch, *, is_rolled_up: bool
) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 2)
    for days in (0, 1, 40):
        at = NOW - timedelta(days=days)
        for number in range(5):
            store(databases, acme.organization.id, [number], at=at, written=at, event_name=f"name-{number}")
    if is_rolled_up:
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    read = list(pages(source_of(databases, acme), "daily_statistics"))

    assert [len(page.lines) for page in read] == [2, 2, 1] * 3 + [0]

    lines = [line for page in read for line in page.lines]
    assert len(set(lines)) == 15


def source_of(databases: Databases, provisioned: Provisioned) -> ExportSource:
    reader = TenantReader(databases.clickhouse, provisioned.organization.id)
    return ExportSource(db=databases.functions, reader=reader, organization_id=provisioned.organization.id)
