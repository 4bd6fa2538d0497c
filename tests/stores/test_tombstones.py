"""Tombstones are written and read in such a way that no replica of a cluster misses one."""

from uuid import uuid4

from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone, list_all_tombstones, list_tombstones
from tests.given import NOW, Databases


def test_majority_of_replicas_stores_a_tombstone(databases: Databases) -> None:
    client, acme = databases.clickhouse, uuid4()
    default = "toString(getSetting('insert_quorum')) || ' ' || toString(getSetting('insert_quorum_parallel'))"
    client.command(f"ALTER TABLE tombstones ADD COLUMN written_with String DEFAULT {default}")

    insert_tombstone(client, acme, closed_at=NOW)

    assert client.query("SELECT organization_id, written_with FROM tombstones").result_rows == [(acme, "auto false")]


def test_reads_see_tombstones_of_every_replica(databases: Databases) -> None:
    client, acme = databases.clickhouse, uuid4()
    insert_tombstone(client, acme, closed_at=NOW)
    client.command("RENAME TABLE tombstones TO stored")
    condition = "getSetting('select_sequential_consistency') = 1"
    client.command(f"CREATE VIEW tombstones AS SELECT organization_id FROM stored WHERE {condition}")

    assert list_tombstones(client, [str(acme)]) == {str(acme)}
    assert list_all_tombstones(client) == {acme}
