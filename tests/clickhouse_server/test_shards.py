"""A cluster of two shards: each row is on the shard of its organization, and readers see their own rows of both."""

from uuid import UUID, uuid4

import pytest

from tenancy.rules.stored_events import EventKey
from tenancy.stores.clickhouse.client import TENANT_TABLES, Client, TenantReader
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.migrations import list_versions
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.clickhouse.platform.released_events import delete_released
from tenancy.stores.clickhouse.platform.shards import ClusterUserError
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone, list_all_tombstones, list_tombstones
from tenancy.stores.clickhouse.stored_events import estimate_rows_before
from tenancy.use_cases.schema.migrate import read_migrations
from tests.clickhouse_server.conftest import connect_shards
from tests.clickhouse_server.test_replicas import frame
from tests.clickhouse_server.test_users import UNFILTERED, UnfilteredReader, connect_reader
from tests.given import MIGRATIONS, NOW

ORGANIZATIONS = [UUID(int=number) for number in range(1, 21)]
LIST_ENGINES = "SELECT name, engine FROM system.tables WHERE database = {database:String} ORDER BY name"
COUNT_LOCAL = "SELECT uniqExact(organization_id) FROM {database:Identifier}.events"
LAST_KEY = EventKey(4_000_000_000_000, "", "")


@pytest.fixture
def filled(shards: list[Client]) -> list[Client]:
    """Return the shards with an event of each organization."""
    insert_frames(shards[0], "events", [frame(each) for each in ORGANIZATIONS], token="batch")
    return shards


def count_on_each(shards: list[Client]) -> list[int]:
    parameters = {"database": f"{shards[0].database}_shards"}
    return [int(client.query(COUNT_LOCAL, parameters=parameters).result_rows[0][0]) for client in shards]


def test_each_server_has_both_kinds_of_tables(shards: list[Client]) -> None:
    found = [
        client.query(LIST_ENGINES, parameters={"database": f"{client.database}{suffix}"}).result_rows
        for client in shards
        for suffix in ("", "_shards")
    ]

    assert found[:2] == found[2:]
    assert {engine for _, engine in found[0]} == {"Distributed"}
    assert {engine for _, engine in found[1]} == {"ReplicatedReplacingMergeTree"}


def test_both_servers_know_all_migrations(shards: list[Client]) -> None:
    versions = {each.version for each in read_migrations(MIGRATIONS / "clickhouse")}

    assert [set(list_versions(client)) for client in shards] == [versions, versions]


def test_events_are_divided_among_shards(filled: list[Client]) -> None:
    counts = count_on_each(filled)

    assert sum(counts) == len(ORGANIZATIONS)
    assert min(counts) > 0


def test_each_server_reads_events_of_all_shards(filled: list[Client]) -> None:
    for client in filled:
        assert [count_event_rows(client, each)["events"] for each in ORGANIZATIONS] == [1] * len(ORGANIZATIONS)


def test_batch_sent_to_the_other_server_is_not_stored_again(filled: list[Client]) -> None:
    insert_frames(filled[1], "events", [frame(each) for each in ORGANIZATIONS], token="batch")

    assert [count_event_rows(filled[0], each)["events"] for each in ORGANIZATIONS] == [1] * len(ORGANIZATIONS)


@pytest.mark.parametrize("server", [0, 1])
def test_erasure_deletes_rows_of_both_shards(filled: list[Client], server: int) -> None:
    for organization_id in ORGANIZATIONS[:10]:
        delete_event_rows(filled[server], organization_id)

    assert sum(count_on_each(filled)) == len(ORGANIZATIONS) - 10


def test_release_deletes_through_the_log(filled: list[Client]) -> None:
    delete_released(filled[0], ORGANIZATIONS)  # the statement has sub-queries

    assert sum(count_on_each(filled)) == len(ORGANIZATIONS)


def test_tombstones_hold_on_both_servers(shards: list[Client]) -> None:
    for organization_id in ORGANIZATIONS:
        insert_tombstone(shards[0], organization_id, closed_at=NOW)

    assert list_all_tombstones(shards[1]) == set(ORGANIZATIONS)
    assert list_tombstones(shards[1], map(str, ORGANIZATIONS)) == set(map(str, ORGANIZATIONS))


@pytest.mark.parametrize("organization_id", ORGANIZATIONS[:6])
def test_policies_apply_on_the_other_server(filled: list[Client], organization_id: UUID) -> None:
    client = connect_reader(filled[0])

    rows = UnfilteredReader(client, organization_id).query(UNFILTERED + "events")

    assert rows == [(organization_id, organization_id)]
    client.close()


@pytest.mark.parametrize("table", TENANT_TABLES)
@pytest.mark.parametrize("suffix", ["", "_shards"])
def test_no_database_shows_rows_without_an_organization(filled: list[Client], table: str, suffix: str) -> None:
    client = connect_reader(filled[0])

    assert client.query(f"SELECT * FROM {client.database}{suffix}.{table}").result_rows == []
    client.close()


@pytest.mark.parametrize("organization_id", ORGANIZATIONS[:6])
def test_filter_applies_on_the_other_server(filled: list[Client], organization_id: UUID) -> None:
    statement = UNFILTERED + "events WHERE event_id IN (SELECT event_id FROM events)"

    assert TenantReader(filled[0], organization_id).query(statement) == [(organization_id, organization_id)]


@pytest.mark.parametrize("organization_id", ORGANIZATIONS[:6])
def test_rows_of_the_other_server_are_estimated(filled: list[Client], organization_id: UUID) -> None:
    assert estimate_rows_before(TenantReader(filled[0], organization_id), 0, LAST_KEY) > 0


def test_cluster_without_a_secret_is_refused() -> None:
    clients = connect_shards("")

    with pytest.raises(ClusterUserError):
        list_versions(clients[0])


def test_row_of_an_unknown_organization_is_stored_once(shards: list[Client]) -> None:
    organization_id = uuid4()

    insert_frames(shards[1], "events", [frame(organization_id)], token="one")

    assert [count_event_rows(client, organization_id)["events"] for client in shards] == [1, 1]
