"""A replicated cluster: both replicas have the same rows, tombstones and migrations."""

import json
from uuid import UUID, uuid4

import zstandard

from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.migrations import list_versions
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone, list_tombstones
from tenancy.use_cases.schema.migrate import read_migrations
from tests.given import MIGRATIONS, NOW

LIST_ENGINES = "SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name"


def test_every_table_is_replicated(replicas: list[Client]) -> None:
    tables = [client.query(LIST_ENGINES).result_rows for client in replicas]

    assert tables[0] == tables[1]
    assert {engine for _, engine in tables[0]} == {"ReplicatedReplacingMergeTree"}


def test_other_replica_has_all_migrations(replicas: list[Client]) -> None:
    synchronize(replicas[1], "schema_migrations")

    assert set(list_versions(replicas[1])) == {each.version for each in read_migrations(MIGRATIONS / "clickhouse")}


def test_replica_reads_events_of_the_other_one(replicas: list[Client]) -> None:
    acme = uuid4()
    insert_frames(replicas[0], "events", [frame(acme)], token="batch")

    synchronize(replicas[1], "events")

    assert count_event_rows(replicas[1], acme)["events"] == 1


def test_batch_that_another_replica_has_is_not_stored_again(replicas: list[Client]) -> None:
    acme = uuid4()
    for client in replicas:
        insert_frames(client, "events", [frame(acme)], token="batch")

    synchronize(replicas[0], "events")

    assert count_event_rows(replicas[0], acme)["events"] == 1


def test_erasure_deletes_the_rows_of_every_replica(replicas: list[Client]) -> None:
    acme, globex = uuid4(), uuid4()
    insert_frames(replicas[0], "events", [frame(acme), frame(globex)], token="batch")

    delete_event_rows(replicas[0], acme)

    assert [count_event_rows(client, acme)["events"] for client in replicas] == [0, 0]
    assert [count_event_rows(client, globex)["events"] for client in replicas] == [1, 1]


def test_tombstone_holds_on_the_other_replica(replicas: list[Client]) -> None:
    acme = uuid4()

    insert_tombstone(replicas[0], acme, closed_at=NOW)

    assert list_tombstones(replicas[1], [str(acme)]) == {str(acme)}


def synchronize(client: Client, table: str) -> None:
    """Wait until the replica has all rows that the other one had before the call."""
    client.command(f"SYSTEM SYNC REPLICA {table}")


def frame(organization_id: UUID) -> bytes:
    moment = NOW.strftime("%Y-%m-%d %H:%M:%S")
    row = {
        "organization_id": str(organization_id),
        "event_id": "one",
        "event_type": "track",
        "event_name": "Opened",
        "device_id": "phone",
        "event_timestamp": moment,
        "received_at": moment,
    }
    return zstandard.compress(json.dumps(row).encode() + b"\n")
