"""Inserts: complete and once, in every encoding and spelling."""

import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from email.message import Message
from typing import Any

import lz4.frame  # type: ignore[import-untyped]  # ships no types
import pytest
from backports import zstd
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.stack.clickhouse_front.body import RequestBody, Text
from tests.stack.clickhouse_clients import Served, count, rows

SUPPRESSED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)  # a busy machine is no fault
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
}


@pytest.mark.parametrize("encoding", COMPRESS)
def test_concatenated_frames_are_one_insert(client: Client, encoding: str) -> None:
    frames = [COMPRESS[encoding](rows(700)), COMPRESS[encoding](rows(300, "globex"))]

    summary = client.raw_insert("events", insert_block=b"".join(frames), fmt="JSONEachRow", compression=encoding)

    assert summary.written_rows == 1_000
    query = "SELECT organization_id, count() FROM events GROUP BY ALL ORDER BY ALL"
    assert client.query(query).result_rows == [("acme", 700), ("globex", 300)]
    assert client.command("SELECT count() FROM system.parts WHERE active AND database = currentDatabase()") == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
@pytest.mark.parametrize("damage", ["cut off", "no frame"])
def test_damaged_frame_inserts_nothing(client: Client, encoding: str, damage: str) -> None:
    whole = COMPRESS[encoding](rows(1_000))
    body = whole + whole[:-9] if damage == "cut off" else b"{}" * 99

    with pytest.raises(DatabaseError) as refused:
        client.raw_insert("events", insert_block=body, fmt="JSONEachRow", compression=encoding)

    assert refused.value.code == 271
    assert count(client) == 0


def test_body_is_unpacked_a_megabyte_at_a_time() -> None:
    packed = zstd.compress(bytes(200 << 20))
    headers = Message()
    headers["Content-Length"] = str(len(packed))

    sizes = [len(piece) for piece in Text(RequestBody(io.BytesIO(packed), headers), "zstd").pieces()]

    assert sizes == [1 << 20] * 200


@pytest.mark.parametrize("token", ["a", "123"])
def test_token_is_inserted_once(client: Client, token: str) -> None:
    fields = {"insert_deduplication_token": token}
    client.raw_insert("events", insert_block=rows(10), fmt="JSONEachRow", settings=fields)

    client.raw_insert("events", insert_block=rows(10), fmt="JSONEachRow", settings=fields)

    assert count(client) == 10


def test_token_is_inserted_once_for_other_rows_and_formats(client: Client) -> None:
    fields = {"insert_deduplication_token": "a"}
    client.raw_insert("events", insert_block=rows(10), fmt="JSONEachRow", settings=fields)

    client.insert("events", [["globex", 1]], ["organization_id", "event_id"], settings=fields)

    assert count(client) == 10


def test_rows_with_another_token_are_inserted(client: Client) -> None:
    for token in ("a", "b"):
        client.raw_insert(
            "events", insert_block=rows(10), fmt="JSONEachRow", settings={"insert_deduplication_token": token}
        )

    assert count(client) == 20


def test_missing_columns_get_defaults_and_values_are_coerced(client: Client) -> None:
    client.raw_insert("events", ["organization_id", "event_id"], b'{"event_id":"7","more":[1]}', fmt="JSONEachRow")

    row = ("", 7, Decimal("1.5"), datetime(2026, 11, 24, tzinfo=UTC))
    assert client.query("SELECT * FROM events").result_rows == [row]


@pytest.mark.parametrize(
    ("row", "fields", "code"),
    [
        (b'{"event_id":"seven"}', {}, 27),
        (b'{"event_id":1,"more":1}', {"input_format_skip_unknown_fields": "0"}, 117),
        (b'{"event_id":1', {}, 33),
    ],
)
def test_bad_row_refuses_all_rows(client: Client, row: bytes, fields: dict[str, str], code: int) -> None:
    with pytest.raises(DatabaseError) as refused:
        client.raw_insert("events", insert_block=rows(1_000) + row, fmt="JSONEachRow", settings=fields)

    assert refused.value.code == code
    assert count(client) == 0


@settings(max_examples=30, deadline=None, suppress_health_check=SUPPRESSED)
@given(name=st.text(st.characters(codec="utf-8")))
def test_rows_that_look_like_statements_are_rows(client: Client, name: str) -> None:
    names = [name, "'); DROP TABLE events; --", "\n;\nSELECT 1 FORMAT CSV\n\n", "\\"]
    block = "\n".join(json.dumps({"organization_id": name}, ensure_ascii=False) for name in names)
    client.command("TRUNCATE TABLE events")

    client.raw_insert("events", insert_block=block, fmt="JSONEachRow")

    assert sorted(client.query("SELECT organization_id FROM events").result_columns[0]) == sorted(names)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", "INSERT INTO events (event_id) VALUES (1), (2);"),
        ("", "/* rows */ insert into `events` (event_id) settings max_threads = 1 format CSV\n1\n2\n"),
        ("INSERT INTO events (event_id) FORMAT CSV", "1\n2"),
        ("INSERT INTO events (event_id) FORMAT CSV 1", "2"),
        ("INSERT INTO events (event_id) VALUES ({one:UInt8}),", "(2)"),
        ("", "INSERT INTO events (event_id) SELECT number + 1 AS format FROM numbers(2)"),
        ("", "INSERT INTO {table:Identifier} (event_id) FORMAT CSV 1\n2"),
        ("", "INSERT INTO events (* EXCEPT(organization_id, revenue, received_at)) FORMAT TSV\r\n1\n2\n"),
    ],
)
def test_insert_may_be_written_as_for_a_server(client: Client, front: Served, query: str, body: str) -> None:
    fields: dict[str, Any] = {"query": query, "database": client.database, "param_one": "1", "param_table": "events"}

    status, answer, headers = front.ask(body, **fields)

    assert (status, answer) == (200, b"")
    assert json.loads(headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert client.query("SELECT event_id FROM events ORDER BY 1").result_columns == [[1, 2]]


def test_table_may_have_the_name_of_a_keyword(client: Client) -> None:
    client.command("CREATE TABLE values (format UInt8) ENGINE = Memory")

    for name in ("values", f"{client.database}.values"):
        client.command(f"INSERT INTO {name} (format) VALUES (1)")
        client.insert(name, [[2]], column_names=["format"])

    assert client.command("SELECT sum(format) FROM values") == 6


@pytest.mark.parametrize("asynchronous", [0, 1])
def test_rows_can_be_read_when_the_insert_is_answered(client: Client, asynchronous: int) -> None:
    mode = {"async_insert": asynchronous, "wait_for_async_insert": 0}

    client.raw_insert("events", insert_block=rows(10), fmt="JSONEachRow", settings=mode)

    assert count(client) == 10
