"""Distributed tables: where rows are, how readers are kept apart, and how the tables follow those of the shards."""

from contextlib import closing
from uuid import UUID

import pytest

from scripts.clickhouse_shards.__main__ import DOCUMENT
from scripts.clickhouse_shards.engine import ONE_SHARD, TWO_SHARDS, WITH_POLICY
from scripts.clickhouse_shards.statements import NEITHER, refresh, try_all, write_table
from tenancy.stores.clickhouse.client import (
    ACCESS_REFUSALS,
    TENANT_TABLES,
    Client,
    DatabaseError,
    TenantReader,
    connect,
)
from tenancy.stores.clickhouse.platform import shards
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.migrations import run_script
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows
from tenancy.stores.clickhouse.platform.shards import (
    CREATE_DISTRIBUTED,
    ClusterUserError,
    distribute_tables,
    grant_distributed_tables,
)
from tenancy.stores.clickhouse.stored_events import estimate_rows_before
from tests.stores.sharded import ACME, GLOBEX, ORGANIZATIONS, Servers, engine, filled, pair
from tests.stores.test_events import frame, row
from tests.stores.test_shards import LAST_KEY, contents

__all__ = ["engine", "filled", "pair"]


class UnfilteredReader(TenantReader):
    """A tenant reader without its filter."""

    def _filters(self) -> str:
        return "{}"


def test_rows_are_on_both_shards(filled: Servers) -> None:
    statement = "SELECT shardNum(), uniqExact(organization_id) FROM events GROUP BY 1 ORDER BY 1"

    [(first, some), (second, others)] = filled.shards.query(statement).result_rows

    assert (first, second) == (1, 2)
    assert some + others == len(ORGANIZATIONS)
    assert min(some, others) > 0


@pytest.mark.parametrize("organization_id", ORGANIZATIONS[:4])
def test_query_of_an_organization_reads_one_shard(filled: Servers, organization_id: UUID) -> None:
    statement = "SELECT DISTINCT shardNum() FROM events WHERE organization_id = {organization_id:UUID}"
    settings = {"force_optimize_skip_unused_shards": 1}

    found = filled.shards.query(statement, {"organization_id": organization_id}, settings=settings).result_rows

    assert found == [(shard_of(filled.shards, organization_id),)]


def shard_of(client: Client, organization_id: UUID) -> int:
    statement = "SELECT cityHash64({organization_id:UUID}) % 2 + 1"
    return int(client.query(statement, {"organization_id": organization_id}).result_rows[0][0])


@pytest.mark.parametrize(
    "source",
    [
        "events",
        "events FINAL",
        "events WHERE organization_id IN (SELECT organization_id FROM held_events)",
        "events WHERE event_id NOT IN (SELECT event_id FROM held_events)",
        "(SELECT * FROM events) AS e",
    ],
)
def test_filter_of_a_reader_reaches_the_shards(filled: Servers, source: str) -> None:
    statement = "SELECT DISTINCT organization_id, {organization_id:UUID} FROM "

    assert TenantReader(filled.shards, ACME).query(statement + source) == [(ACME, ACME)]


def test_filter_reaches_a_subquery_on_the_shards(filled: Servers) -> None:
    statement = """
        SELECT count(), {organization_id:UUID} FROM numbers(1) WHERE 0 < (SELECT count() FROM events WHERE event_id IN (
            SELECT event_id FROM events WHERE organization_id != {organization_id:UUID}
        ))
    """

    assert UnfilteredReader(filled.shards, ACME).query(statement) == [(1, ACME)]
    assert TenantReader(filled.shards, ACME).query(statement) == [(0, ACME)]


def test_row_policy_on_a_distributed_table_is_refused(engine: str) -> None:
    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client, pytest.raises(DatabaseError) as refused:
        client.query(f"SELECT * FROM {WITH_POLICY}")

    assert refused.value.code == 182  # ILLEGAL_PREWHERE
    assert "Define the policy on the underlying tables" in str(refused.value)


def test_estimate_of_shards_elsewhere_counts_rows(filled: Servers) -> None:
    tenant = TenantReader(filled.shards, ACME)
    filled.shards.command("RENAME TABLE events TO distributed")
    # EXPLAIN tells nothing of it, as of a shard on another server.
    filled.shards.command("CREATE TABLE events ENGINE = Log AS SELECT * FROM distributed")

    found = estimate_rows_before(tenant, 0, LAST_KEY)

    filled.shards.command("DROP TABLE events")
    filled.shards.command("RENAME TABLE distributed TO events")
    assert found > 0
    assert tenant.rows_read == 0


def test_batch_with_a_known_token_adds_nothing(engine: str) -> None:
    with closing(connect(f"{engine}/{ONE_SHARD}")) as client:
        for _ in range(2):
            insert_frames(client, "events", [frame(row(), row(event_id="2"))], token="batch")

        assert client.query("SELECT count() FROM events").result_rows == [(2,)]


def test_rejected_row_is_on_no_shard(filled: Servers) -> None:
    bad = frame(row(organization_id=str(UUID(int=50))), row(organization_id=str(GLOBEX), event_timestamp="never"))

    with pytest.raises(DatabaseError):
        insert_frames(filled.shards, "events", [bad], token="bad")

    assert count_event_rows(filled.shards, UUID(int=50))["events"] == 0


def test_each_table_has_a_distributed_one(engine: str) -> None:
    statement = "SELECT name FROM system.tables WHERE database = {database:String}"

    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client:
        distribute_tables(client)
        found = [
            {name for (name,) in client.query(statement, {"database": database}).result_rows}
            for database in (TWO_SHARDS, f"{TWO_SHARDS}_shards")
        ]

    assert found[0] - {WITH_POLICY} == found[1] == set(CREATE_DISTRIBUTED)


def test_new_column_is_in_the_distributed_table(engine: str) -> None:
    with closing(connect(f"{engine}/{ONE_SHARD}")) as client:
        run_script(client, "ALTER TABLE tombstones ADD COLUMN IF NOT EXISTS note String")

        distribute_tables(client)

        assert client.query("SELECT note FROM tombstones").result_rows == []


def test_new_shard_changes_no_place(engine: str) -> None:
    statement = "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'tombstones'"
    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client:
        client.command("DROP TABLE events")
        client.command("DROP TABLE tombstones")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shards, "COUNT_SHARDS", "SELECT 3, {storage:String}")

            distribute_tables(client)

        [(engine_full,)] = client.query(statement).result_rows
    assert "% _CAST(2, " in engine_full


def test_cluster_that_hides_the_user_is_refused(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "FIND_USER", "SELECT 'tenancy_owner'")

    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client, pytest.raises(ClusterUserError, match="as the user"):
        distribute_tables(client)


def test_server_without_access_management_is_migrated(engine: str) -> None:
    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client:
        with pytest.raises(DatabaseError) as refused:
            client.command(shards.GRANT_READER)

        grant_distributed_tables(client)

    assert refused.value.code in ACCESS_REFUSALS


def test_copy_divides_rows_anew(filled: Servers, engine: str) -> None:
    with closing(connect(f"{engine}/{ONE_SHARD}")) as copy:
        for table in TENANT_TABLES:
            run_script(copy, f"TRUNCATE TABLE {table}")

            copy.command(f"INSERT INTO {ONE_SHARD}.{table} SELECT * FROM {TWO_SHARDS}.{table}")

        assert contents(copy) == contents(filled.shards)


def test_documented_statements_are_current(engine: str) -> None:
    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client:
        tried = try_all(client)

    assert [each for each in tried if each.result == NEITHER] == []
    assert DOCUMENT.read_text() == refresh(DOCUMENT.read_text(), write_table(tried))


def test_statement_that_fails_is_neither(engine: str) -> None:
    with closing(connect(f"{engine}/{TWO_SHARDS}")) as client:
        [failed] = [each for each in try_all(client, {"wrong": "SELECT nothing FROM events"}) if each.name == "wrong"]

    assert failed.result == NEITHER
    assert "UNKNOWN_IDENTIFIER" in failed.reason
