"""Settings of a query hold for that query, and limit what it reads, writes and costs."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_connect.driver import Client

from tests.stack.clickhouse_clients import Served, ask, code_of, count, rows


def test_a_setting_of_one_query_does_not_reach_the_next(client: Client, front: Served) -> None:
    query = "SELECT getSetting('max_threads'), getSetting('readonly'), currentDatabase()"
    with front.connection() as connection:
        own = ask(connection, query, max_threads="3", readonly="1", database=client.database or "", param_x="1")[1]
        assert own == f"3\t1\t{client.database}\n".encode()
        ask(connection, "SET max_threads = 3")
        ask(connection, "CREATE TEMPORARY TABLE x (n UInt8)")
        assert ask(connection, query)[1].split(b"\t")[1:] == [b"0", b"default\n"]
        assert not ask(connection, query)[1].startswith(b"3\t")
        assert ask(connection, "SELECT {x:UInt8}")[0] == 500
        assert ask(connection, "SELECT * FROM x")[0] == 404


def test_settings_of_queries_at_the_same_time_stay_apart(front: Served) -> None:
    def mismatches(n: int) -> int:
        query = "SELECT getSetting('max_block_size'), {n:UInt64}"
        with front.connection() as connection:
            answers = [ask(connection, query, max_block_size=str(n), param_n=str(n))[1] for _ in range(40)]
        return sum(answer != b"%d\t%d\n" % (n, n) for answer in answers)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(mismatches, range(1, 9))) == [0] * 8


def test_a_table_filter_holds_in_every_corner_of_its_query_only(client: Client) -> None:
    client.raw_insert("events", insert_block=rows(3, "acme") + rows(5, "globex"), fmt="JSONEachRow")
    joined = "events AS a JOIN events AS b USING (organization_id, event_id)"
    query = f"SELECT count(), (SELECT count() FROM events) FROM {joined}"
    filters = {"additional_table_filters": {f"{client.database}.events": "organization_id = 'acme'"}}
    assert client.query(query, settings=filters).result_rows == [(3, 3)]
    assert client.query(query).result_rows == [(8, 8)]


def test_an_unknown_setting_is_the_engines_error(front: Served) -> None:
    assert code_of(front, "SELECT 1", no_such_setting="1") == 115
    assert code_of(front, "SELECT 1", **{"max_threads = 1, readonly": "0"}) == 115


@pytest.mark.parametrize("readonly", ["1", "2"])
def test_a_readonly_query_writes_nothing(client: Client, front: Served, readonly: str) -> None:
    fields: dict[str, Any] = {"readonly": readonly, "max_threads": "2", "database": client.database}
    assert front.ask("SELECT count() FROM events", **fields)[1] == b"0\n"
    for statement in (
        "INSERT INTO events (organization_id) VALUES ('acme')",
        "INSERT INTO events (organization_id) SELECT 'acme'",
        "DROP TABLE events",
        "ALTER TABLE events DELETE WHERE 1",
        "SELECT 1 SETTINGS readonly = 0",
    ):
        assert code_of(front, statement, **fields) == 164
    client.command("INSERT INTO events (organization_id) VALUES ('acme')")
    assert count(client) == 1


def test_a_get_writes_nothing(client: Client, front: Served) -> None:
    for query in ("DROP TABLE events", "DROP TABLE events&readonly=0"):
        with front.connection() as connection:
            connection.request("GET", f"/?database={client.database}&query={quote(query, safe='&=')}")
            assert connection.getresponse().headers["X-ClickHouse-Exception-Code"] == "164"
    assert count(client) == 0


def test_limits_of_time_and_memory_hold(front: Served) -> None:
    assert code_of(front, "SELECT count() FROM numbers(1e13) WHERE sin(number) > 2", max_execution_time="0.2") == 159
    assert code_of(front, "SELECT groupArray(number) FROM numbers(1e7)", max_memory_usage="1000000") == 241


def test_final_and_waiting_for_mutations_are_settings(client: Client) -> None:
    client.command("CREATE TABLE first (id UInt8, v UInt32) ENGINE = ReplacingMergeTree(v) ORDER BY id")
    for version in (1, 2):
        client.command(f"INSERT INTO first VALUES (1, {version})")
    assert client.query("SELECT v FROM first", settings={"final": 1}).result_rows == [(2,)]
    client.command("ALTER TABLE first DELETE WHERE v = 1", settings={"mutations_sync": 2})
    assert client.query("SELECT v FROM first").result_rows == [(2,)]
