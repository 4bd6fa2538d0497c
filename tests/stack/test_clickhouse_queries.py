"""Queries, their parameters and their answers, by real drivers and by bare HTTP."""

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
def test_health_check_is_answered_ok(front: Served, path: str) -> None:
    with front.connection() as connection:
        connection.request("GET", path)

        assert connection.getresponse().read() == b"Ok.\n"


@pytest.mark.parametrize(
    ("query", "body", "answer"),
    [
        ("SELECT 1", "", b"1\n"),
        ("", "SELECT 1 -- done", b"1\n"),
        ("SELECT", "1 + 1 AS n FORMAT CSVWithNames;", b'"n"\n2\n'),
    ],
)
def test_query_may_stand_in_url_body_or_both(front: Served, query: str, body: str, answer: bytes) -> None:
    answered = front.ask(body, query=query)[1]

    assert answered == answer


def test_format_is_tab_separated_by_default(front: Served) -> None:
    answer = front.ask("SELECT 1 AS n, 'a'")[1]

    assert answer == b"1\ta\n"


@pytest.mark.parametrize(
    ("headers", "fields", "answer"),
    [
        ({}, {"default_format": "JSONEachRow"}, b'{"n":1}\n'),
        ({"X-ClickHouse-Format": "CSV"}, {}, b"1\n"),
    ],
)
def test_request_sets_the_format(front: Served, headers: dict[str, str], fields: dict[str, str], answer: bytes) -> None:
    answered = front.ask("SELECT 1 AS n", headers, **fields)[1]

    assert answered == answer


def test_format_in_the_query_comes_first(front: Served) -> None:
    query = "SELECT 1 AS n FORMAT JSONEachRow SETTINGS max_threads = 1"

    _, body, headers = front.ask(query, default_format="CSV")

    assert body == b'{"n":1}\n'
    assert headers["X-ClickHouse-Format"] == "JSONEachRow"


def test_answer_names_its_query_time_zone_and_rows_read(front: Served) -> None:
    _, _, headers = front.ask("SELECT * FROM numbers(10)", query_id="q1", session_timezone="Asia/Tokyo")

    assert headers["X-ClickHouse-Query-Id"] == "q1"
    assert headers["X-ClickHouse-Timezone"] == "Asia/Tokyo"
    assert json.loads(headers["X-ClickHouse-Summary"])["read_rows"] == "10"


def test_time_zone_of_one_query_does_not_reach_the_next(front: Served) -> None:
    front.ask("SELECT 1", session_timezone="Asia/Tokyo")

    headers = front.ask("SELECT 1")[2]

    assert headers["X-ClickHouse-Timezone"] == "UTC"


def test_statement_without_a_result_has_no_format(client: Client, front: Served) -> None:
    _, _, headers = front.ask("CREATE TABLE x (n UInt8) ENGINE = Memory", database=client.database or "")

    assert "X-ClickHouse-Format" not in headers
    assert client.command("SELECT * FROM x") == "", "an empty result is no summary"


def test_driver_reads_version_time_zone_and_settings(client: Client) -> None:
    assert client.server_version == client.command("SELECT version()")
    assert str(client.server_tz) == "UTC"
    assert client.server_settings["max_threads"].name == "max_threads"


def test_driver_reads_every_type_that_it_wrote(client: Client) -> None:
    columns = "id UUID, name LowCardinality(Nullable(String)), at DateTime64(3, 'UTC'), sum Decimal(18, 4)"
    more = "tags Array(String), by Map(String, UInt8)"
    client.command(f"CREATE TABLE kinds ({columns}, {more}) ENGINE = MergeTree ORDER BY id")
    now = datetime(2026, 11, 24, 1, 2, 3, 456000, tzinfo=UTC)
    written = [(UUID(int=n), [None, "acme"][n % 2], now, Decimal("9.0001"), ["a'\\", "\n"], {"ü": n}) for n in range(9)]

    inserted = client.insert("kinds", written)

    assert inserted.written_rows == 9
    assert client.query("SELECT * FROM kinds ORDER BY id").result_rows == written
    assert client.query("SELECT * FROM kinds LIMIT 0").column_names[:2] == ("id", "name")
    assert client.query("SELECT * FROM kinds WHERE name = 'globex'").result_rows == []
    assert client.raw_query("SELECT name FROM kinds", fmt="Arrow").startswith(b"ARROW1")


def test_request_names_the_database(client: Client, front: Served) -> None:
    named = front.ask("SELECT currentDatabase()", database=client.database or "")[1]
    unnamed = front.ask("SELECT currentDatabase()")[1]

    assert (named.decode(), unnamed) == (f"{client.database}\n", b"default\n")
    assert code_of(front, "SELECT 1", database="`no\\where") == 81


# Parameters


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],  # a busy machine is no fault
)
@given(value=st.text(st.characters(codec="utf-8")), values=st.lists(st.text(st.characters(codec="utf-8")), max_size=3))
@pytest.mark.parametrize("form", [False, True])
def test_parameter_arrives_as_it_was_sent(client: HttpClient, form: bool, value: str, values: list[str]) -> None:  # noqa: FBT001 - a parameter of the test
    query = "SELECT {value:String}, {values:Array(String)}"
    client.form_encode_query_params = form

    answer = client.query(query, parameters={"value": value, "values": values})

    assert answer.result_rows == [(value, values)]


def test_parameter_has_the_type_in_the_query(client: Client) -> None:
    sent = {"id": UUID(int=7), "at": datetime(2026, 11, 24, tzinfo=UTC), "sum": Decimal("1.5"), "none": None}
    query = "SELECT {id:UUID}, {at:DateTime64(3, 'UTC')}, {sum:Decimal(9, 2)}, {none:Nullable(UInt8)}"

    answer = client.query(query, parameters=sent)

    assert answer.result_rows == [tuple(sent.values())]


def test_identifier_may_be_a_parameter(client: Client) -> None:
    counted = client.command("SELECT count() FROM {table:Identifier}", parameters={"table": "events"})

    assert counted == 0


def test_statement_in_a_parameter_is_refused(client: Client) -> None:
    with pytest.raises(DatabaseError) as refused:
        client.query("SELECT {n:UInt8}", parameters={"n": "1; DROP TABLE events"})

    assert refused.value.code == 457


def test_thousand_ids_are_one_parameter(client: Client) -> None:
    ids = [uuid4() for _ in range(1_000)]

    length = client.command("SELECT length({ids:Array(UUID)})", parameters={"ids": ids})

    assert length == 1_000


def test_statement_and_parameter_may_be_bytes(front: Served) -> None:
    with front.connection() as connection:
        connection.request("POST", "/?param_x=%FF%00", b"SELECT hex({x:String}), hex('\xfe\x00')")

        assert connection.getresponse().read() == b"FF00\tFE00\n"


def test_error_may_contain_bytes(front: Served) -> None:
    status, body, _ = front.ask(b"SELECT throwIf(1, '\xfe')")

    assert status == 500
    assert b"\xfe" in body


def test_external_data_is_refused(client: Client) -> None:
    data = ExternalData(file_name="x.csv", data=b"1\n", fmt="CSV", structure=["n UInt8"])

    with pytest.raises(DatabaseError, match="External data is not supported") as refused:
        client.query("SELECT * FROM x", external_data=data)

    assert refused.value.code == 48
