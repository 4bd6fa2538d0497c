"""A folder for a stack of a test's own, and a ClickHouse with its driver."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_connect.driver.httpclient import HttpClient

from scripts.stack import processes, stack
from scripts.stack.settings import StackSettings
from tests.stack.clickhouse_clients import Served, serve, stop

ROOT = Path(__file__).resolve().parents[2]
EVENTS = """
    CREATE TABLE events (
        organization_id String,
        event_id UInt64,
        revenue Decimal(18, 4) DEFAULT 1.5,
        received_at DateTime64(3, 'UTC') DEFAULT '2026-11-24 00:00:00'
    )
    ENGINE = MergeTree ORDER BY (organization_id, event_id)
    SETTINGS non_replicated_deduplication_window = 100
"""


@pytest.fixture(scope="module")
def settings() -> Iterator[StackSettings]:
    # Not pytest's own folder: when root runs the tests, the user of PostgreSQL cannot reach it.
    directory = Path(tempfile.mkdtemp(prefix="stack-"))
    yield StackSettings(root=ROOT, directory=directory)
    for name in stack.STOP_ORDER:
        processes.stop(directory, name)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("clickhouse"))
    yield served
    assert stop(served) == (0, ""), "ClickHouse's front wrote to its log or did not exit with 0"


@pytest.fixture
def client(front: Served) -> Iterator[HttpClient]:
    """Open a driver in a database of its own, with a table of events."""
    database = f"test_{uuid4().hex}"
    front.ask(f"CREATE DATABASE {database}")
    url = urlsplit(front.url)
    client = clickhouse_connect.get_client(host=url.hostname, port=url.port, database=database, tz_mode="aware")
    assert isinstance(client, HttpClient)
    client.command(EVENTS)
    yield client
    client.close()
    front.ask(f"DROP DATABASE {database}")
