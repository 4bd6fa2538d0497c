"""Tombstones are written and read so that no replica of a cluster can miss one."""

from uuid import uuid4

from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone, list_all_tombstones, list_tombstones
from tests.given import NOW, Databases


def test_a_majority_has_a_tombstone_before_its_gate_counts_as_closed(databases: Databases) -> None:
    client, own = databases.clickhouse, uuid4()
    default = "toString(getSetting('insert_quorum')) || ' ' || toString(getSetting('insert_quorum_parallel'))"
    client.command(f"ALTER TABLE tombstones ADD COLUMN written_with String DEFAULT {default}")
    insert_tombstone(client, own, closed_at=NOW)
    assert client.query("SELECT organization_id, written_with FROM tombstones").result_rows == [(own, "auto false")]


def test_who_reads_sees_what_any_replica_has_written(databases: Databases) -> None:
    client, own = databases.clickhouse, uuid4()
    insert_tombstone(client, own, closed_at=NOW)
    client.command("RENAME TABLE tombstones TO stored")
    condition = "getSetting('select_sequential_consistency') = 1"
    client.command(f"CREATE VIEW tombstones AS SELECT organization_id FROM stored WHERE {condition}")
    assert list_tombstones(client, [str(own)]) == {str(own)}
    assert list_all_tombstones(client) == {own}
