"""Settings of a query hold for that query alone, and limit its reads, writes and cost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_connect.driver import Client

from tests.stack.clickhouse_clients import Served, ask, code_of, count, rows

CURRENT = "SELECT getSetting('max_threads'), getSetting('readonly'), currentDatabase()"


def test_setting_holds_for_its_query(client: Client, front: Served) -> None:
    answer = front.ask(CURRENT, max_threads="3", readonly="1", database=client.database or "")[1]

    assert answer == f"3\t1\t{client.database}\n".encode()


def test_setting_does_not_reach_the_next_query(client: Client, front: Served) -> None:
    with front.connection() as connection:
        ask(connection, CURRENT, max_threads="3", readonly="1", database=client.database or "", param_x="1")
        ask(connection, "SET max_threads = 3")
        ask(connection, "CREATE TEMPORARY TABLE x (n UInt8)")

        max_threads, *others = ask(connection, CURRENT)[1].split(b"\t")

        assert max_threads != b"3"
        assert others == [b"0", b"default\n"]
        assert ask(connection, "SELECT {x:UInt8}")[0] == 500
        assert ask(connection, "SELECT * FROM x")[0] == 404


def test_settings_of_concurrent_queries_stay_apart(front: Served) -> None:
    def mismatches(n: int) -> int:
        query = "SELECT getSetting('max_block_size'), {n:UInt64}"
        with front.connection() as connection:
            answers = [ask(connection, query, max_block_size=str(n), param_n=str(n))[1] for _ in range(40)]
        return sum(answer != b"%d\t%d\n" % (n, n) for answer in answers)

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(mismatches, range(1, 9)))

    assert counts == [0] * 8


def test_table_filter_holds_in_joins_and_subqueries(client: Client) -> None:
    client.raw_insert("events", insert_block=rows(3, "acme") + rows(5, "globex"), fmt="JSONEachRow")
    joined = "events AS a JOIN events AS b USING (organization_id, event_id)"
    query = f"SELECT count(), (SELECT count() FROM events) FROM {joined}"
    filters = {"additional_table_filters": {f"{client.database}.events": "organization_id = 'acme'"}}

    filtered = client.query(query, settings=filters).result_rows
    unfiltered = client.query(query).result_rows

    assert (filtered, unfiltered) == ([(3, 3)], [(8, 8)])


@pytest.mark.parametrize("name", ["no_such_setting", "max_threads = 1, readonly"])
def test_unknown_setting_is_refused(front: Served, name: str) -> None:
    code = code_of(front, "SELECT 1", **{name: "0"})

    assert code == 115


@pytest.mark.parametrize("readonly", ["1", "2"])
def test_readonly_query_reads(client: Client, front: Served, readonly: str) -> None:
    fields: dict[str, Any] = {"readonly": readonly, "max_threads": "2", "database": client.database}

    answer = front.ask("SELECT count() FROM events", **fields)[1]

    assert answer == b"0\n"


@pytest.mark.parametrize("readonly", ["1", "2"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO events (organization_id) VALUES ('acme')",
        "INSERT INTO events (organization_id) SELECT 'acme'",
        "DROP TABLE events",
        "ALTER TABLE events DELETE WHERE 1",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_readonly_query_writes_nothing(client: Client, front: Served, readonly: str, statement: str) -> None:
    fields: dict[str, Any] = {"readonly": readonly, "max_threads": "2", "database": client.database}

    code = code_of(front, statement, **fields)

    assert code == 164
    assert count(client) == 0


@pytest.mark.parametrize("query", ["DROP TABLE events", "DROP TABLE events&readonly=0"])
def test_get_writes_nothing(client: Client, front: Served, query: str) -> None:
    with front.connection() as connection:
        connection.request("GET", f"/?database={client.database}&query={quote(query, safe='&=')}")

        assert connection.getresponse().headers["X-ClickHouse-Exception-Code"] == "164"
    assert count(client) == 0


def test_limit_of_time_holds(front: Served) -> None:
    code = code_of(front, "SELECT count() FROM numbers(1e13) WHERE sin(number) > 2", max_execution_time="0.2")

    assert code == 159


def test_limit_of_memory_holds(front: Served) -> None:
    code = code_of(front, "SELECT groupArray(number) FROM numbers(1e7)", max_memory_usage="1000000")

    assert code == 241


def test_final_is_a_setting(client: Client) -> None:
    client.command("CREATE TABLE first (id UInt8, v UInt32) ENGINE = ReplacingMergeTree(v) ORDER BY id")
    for version in (1, 2):
        client.command(f"INSERT INTO first VALUES (1, {version})")

    answer = client.query("SELECT v FROM first", settings={"final": 1})

    assert answer.result_rows == [(2,)]


def test_waiting_for_mutations_is_a_setting(client: Client) -> None:
    client.raw_insert("events", insert_block=rows(2), fmt="JSONEachRow")

    client.command("ALTER TABLE events DELETE WHERE event_id = 1", settings={"mutations_sync": 2})

    assert count(client) == 1
