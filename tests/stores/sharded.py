"""Two shards of ClickHouse, and one server with the same rows."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from scripts.clickhouse_shards.engine import MIGRATIONS, TWO_SHARDS, running_engine
from tenancy.stores.clickhouse.client import PLATFORM_TABLES, TENANT_TABLES, Client, connect
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.migrations import ACCESS_MANAGEMENT, list_versions, run_script
from tenancy.use_cases.schema.migrate import read_migrations
from tests.stores.test_events import frame, row

ORGANIZATIONS = [UUID(int=number) for number in range(1, 21)]
ACME, GLOBEX = ORGANIZATIONS[:2]


class Servers(NamedTuple):
    """Two shards, and one server."""

    shards: Client
    single: Client


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="tenancy-shards-"))
    try:
        with running_engine(directory) as url:
            yield url
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def pair(engine: str) -> Iterator[Servers]:
    """Return both without rows."""
    with closing(connect(f"{engine}/default")) as admin:
        admin.command("CREATE DATABASE single")
    with closing(connect(f"{engine}/{TWO_SHARDS}")) as shards, closing(connect(f"{engine}/single")) as single:
        list_versions(single)
        for migration in read_migrations(MIGRATIONS):
            if not ACCESS_MANAGEMENT.match(migration.script):
                run_script(single, migration.script)
        yield Servers(shards, single)


@pytest.fixture
def filled(pair: Servers) -> Iterator[Servers]:
    """Return both with the same rows: each organization has other events, one of them twice, and held events."""
    for client in pair:
        fill(client)
    yield pair
    for client in pair:
        for table in (*TENANT_TABLES, *PLATFORM_TABLES):
            run_script(client, f"TRUNCATE TABLE {table}")


def fill(client: Client) -> None:
    sent = [
        row(
            organization_id=str(organization_id),
            event_id=str(event),
            device_id=("phone", "tablet")[event % 2],
            revenue=str(number),
            event_timestamp=f"2026-11-{20 + event % 3} 10:00:0{event}.000",
        )
        for number, organization_id in enumerate(ORGANIZATIONS)
        for event in range(number % 5 + 2)
    ]
    again = [each for each in sent if each["event_id"] == "0"]
    held = [
        {
            **each,
            "reason": ("clock", "quota")[UUID(str(each["organization_id"])).int % 2],
            "event_id": f"h{each['event_id']}",
        }
        for each in sent
    ]
    insert_frames(client, "events", [frame(*sent)], token="sent")
    insert_frames(client, "events", [frame(*again)], token="again")
    insert_frames(client, "held_events", [frame(*held)], token="held")
