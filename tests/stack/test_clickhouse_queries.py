"""Queries, their parameters and their answers: a real server on a free port, real drivers, and bare HTTP."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData
from clickhouse_connect.driver.httpclient import HttpClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stack.clickhouse_clients import Served, code_of

# Queries and their answers


@pytest.mark.parametrize("path", ["/ping", "/"])
def test_a_health_check_is_answered_ok(front: Served, path: str) -> None:
    with front.connection() as connection:
        connection.request("GET", path)
        assert connection.getresponse().read() == b"Ok.\n"


def test_a_query_may_stand_in_the_url_in_the_body_or_begin_in_one_and_end_in_the_other(front: Served) -> None:
    assert front.ask(query="SELECT 1")[1] == b"1\n"
    assert front.ask("SELECT 1 -- done")[1] == b"1\n"
    assert front.ask("1 + 1 AS n FORMAT CSVWithNames;", query="SELECT")[1] == b'"n"\n2\n'


def test_the_format_is_the_querys_or_else_the_requests_or_else_tab_separated(front: Served) -> None:
    assert front.ask("SELECT 1 AS n, 'a'")[1] == b"1\ta\n"
    assert front.ask("SELECT 1 AS n", default_format="JSONEachRow")[1] == b'{"n":1}\n'
    assert front.ask("SELECT 1 AS n", {"X-ClickHouse-Format": "CSV"})[1] == b"1\n"
    _, body, headers = front.ask("SELECT 1 AS n FORMAT JSONEachRow SETTINGS max_threads = 1", default_format="CSV")
    assert body == b'{"n":1}\n'
    assert headers["X-ClickHouse-Format"] == "JSONEachRow"


def test_an_answer_names_its_query_its_time_zone_and_what_it_read(front: Served) -> None:
    _, _, headers = front.ask("SELECT * FROM numbers(10)", query_id="q1", session_timezone="Asia/Tokyo")
    assert headers["X-ClickHouse-Query-Id"] == "q1"
    assert headers["X-ClickHouse-Timezone"] == "Asia/Tokyo"
    assert json.loads(headers["X-ClickHouse-Summary"])["read_rows"] == "10"
    assert front.ask("SELECT 1")[2]["X-ClickHouse-Timezone"] == "UTC"


def test_a_statement_without_a_result_has_no_format(client: Client, front: Served) -> None:
    _, _, headers = front.ask("CREATE TABLE x (n UInt8) ENGINE = Memory", database=client.database or "")
    assert "X-ClickHouse-Format" not in headers
    assert client.command("SELECT * FROM x") == "", "an empty result is no summary"


def test_a_driver_learns_version_time_zone_and_settings_while_it_connects(client: Client) -> None:
    assert client.server_version == client.command("SELECT version()")
    assert str(client.server_tz) == "UTC"
    assert client.server_settings["max_threads"].name == "max_threads"


def test_a_driver_reads_every_type_it_wrote(client: Client) -> None:
    columns = "id UUID, name LowCardinality(Nullable(String)), at DateTime64(3, 'UTC'), sum Decimal(18, 4)"
    more = "tags Array(String), by Map(String, UInt8)"
    client.command(f"CREATE TABLE kinds ({columns}, {more}) ENGINE = MergeTree ORDER BY id")
    now = datetime(2026, 11, 24, 1, 2, 3, 456000, tzinfo=UTC)
    written = [(UUID(int=n), [None, "acme"][n % 2], now, Decimal("9.0001"), ["a'\\", "\n"], {"ü": n}) for n in range(9)]
    assert client.insert("kinds", written).written_rows == 9
    assert client.query("SELECT * FROM kinds ORDER BY id").result_rows == written
    assert client.query("SELECT * FROM kinds LIMIT 0").column_names[:2] == ("id", "name")
    assert client.query("SELECT * FROM kinds WHERE name = 'globex'").result_rows == []
    assert client.raw_query("SELECT name FROM kinds", fmt="Arrow").startswith(b"ARROW1")


def test_the_database_is_the_requests(client: Client, front: Served) -> None:
    assert front.ask("SELECT currentDatabase()", database=client.database or "")[1].decode() == f"{client.database}\n"
    assert front.ask("SELECT currentDatabase()")[1] == b"default\n"
    assert code_of(front, "SELECT 1", database="`no\\where") == 81


# Parameters


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(codec="utf-8")), values=st.lists(st.text(st.characters(codec="utf-8")), max_size=3))
def test_a_parameter_arrives_as_it_was_sent(client: HttpClient, value: str, values: list[str]) -> None:
    query = "SELECT {value:String}, {values:Array(String)}"
    for form in (False, True):
        client.form_encode_query_params = form
        assert client.query(query, parameters={"value": value, "values": values}).result_rows == [(value, values)]


def test_a_parameter_has_the_type_that_the_query_says(client: Client) -> None:
    sent = {"id": UUID(int=7), "at": datetime(2026, 11, 24, tzinfo=UTC), "sum": Decimal("1.5"), "none": None}
    query = "SELECT {id:UUID}, {at:DateTime64(3, 'UTC')}, {sum:Decimal(9, 2)}, {none:Nullable(UInt8)}"
    assert client.query(query, parameters=sent).result_rows == [tuple(sent.values())]
    assert client.command("SELECT count() FROM {table:Identifier}", parameters={"table": "events"}) == 0
    with pytest.raises(DatabaseError) as refused:
        client.query("SELECT {n:UInt8}", parameters={"n": "1; DROP TABLE events"})
    assert refused.value.code == 457


def test_a_thousand_ids_are_one_parameter(client: Client) -> None:
    ids = [uuid4() for _ in range(1_000)]
    assert client.command("SELECT length({ids:Array(UUID)})", parameters={"ids": ids}) == 1_000


def test_neither_a_statement_nor_a_parameter_needs_to_be_text(front: Served) -> None:
    with front.connection() as connection:
        connection.request("POST", "/?param_x=%FF%00", b"SELECT hex({x:String}), hex('\xfe\x00')")
        assert connection.getresponse().read() == b"FF00\tFE00\n"
    status, body, _ = front.ask(b"SELECT throwIf(1, '\xfe')")
    assert (status, b"\xfe" in body) == (500, True)


def test_external_data_is_refused(client: Client) -> None:
    data = ExternalData(file_name="x.csv", data=b"1\n", fmt="CSV", structure=["n UInt8"])
    with pytest.raises(DatabaseError, match="External data is not supported") as refused:
        client.query("SELECT * FROM x", external_data=data)
    assert refused.value.code == 48
