"""The embedded ClickHouse as its clients see it: a real server on a free port, real drivers, and bare HTTP."""

import gzip
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID, uuid4

import clickhouse_connect
import lz4.frame  # type: ignore[import-untyped]  # ships no types
import pytest
from backports import zstd
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData
from clickhouse_connect.driver.httpclient import HttpClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.stack.clickhouse_front.body import RequestBody, Text

type Answer = tuple[int, bytes, Message]

ROOT = Path(__file__).parents[2]
EVENTS = """
    CREATE TABLE events (
        organization_id String,
        event_id UInt64,
        revenue Decimal(18, 4) DEFAULT 1.5,
        received_at DateTime64(3, 'UTC') DEFAULT '2026-11-24 00:00:00'
    )
    ENGINE = MergeTree ORDER BY (organization_id, event_id)
    SETTINGS non_replicated_deduplication_window = 100
"""
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
}


@dataclass(frozen=True, slots=True)
class Served:
    """A running front, and where."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, body: bytes | str = b"", headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """POST *body* on a connection of its own."""
        with self.connection() as connection:
            return ask(connection, body, headers, **fields)

    def connection(self) -> closing[http.client.HTTPConnection]:
        """Return a connection that opens with its first request."""
        return closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20))


def ask(
    connection: http.client.HTTPConnection, body: bytes | str, headers: dict[str, str] | None = None, **fields: str
) -> Answer:
    """POST *body* with *fields* in the URL; return status, body and headers."""
    connection.request("POST", f"/?{urlencode(fields)}", body, headers or {})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def serve(path: Path) -> Served:
    command = [sys.executable, "-m", "scripts.stack.clickhouse_front", "--path", str(path), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(process.communicate()[1])
    return Served(process, line.split()[-1])


def stop(front: Served, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    front.process.send_signal(number)
    noise = "".join(front.process.communicate(timeout=20))
    return front.process.returncode, noise


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("clickhouse"))
    yield served
    assert stop(served) == (0, ""), "it stops cleanly and has said nothing meanwhile"


@pytest.fixture
def client(front: Served) -> Iterator[HttpClient]:
    """A driver in a database of its own, with a table of events."""
    database = f"test_{uuid4().hex}"
    front.ask(f"CREATE DATABASE {database}")
    url = urlsplit(front.url)
    client = clickhouse_connect.get_client(host=url.hostname, port=url.port, database=database, tz_mode="aware")
    assert isinstance(client, HttpClient)
    client.command(EVENTS)
    yield client
    client.close()
    front.ask(f"DROP DATABASE {database}")


def rows(count: int, organization_id: str = "acme") -> bytes:
    return b"".join(b'{"organization_id":"%s","event_id":%d}\n' % (organization_id.encode(), n) for n in range(count))


def count(client: Client) -> int:
    return int(str(client.command("SELECT count() FROM events")))


def code_of(front: Served, body: bytes | str, **fields: str) -> int:
    status, text, headers = front.ask(body, None, **fields)
    code = int(headers["X-ClickHouse-Exception-Code"])
    assert status >= 400
    assert text.startswith(b"Code: %d. DB::Exception: " % code)
    return code


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


# Settings


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


# Inserts


@pytest.mark.parametrize("encoding", COMPRESS)
def test_frames_one_after_the_other_are_one_insert(client: Client, encoding: str) -> None:
    frames = [COMPRESS[encoding](rows(700)), COMPRESS[encoding](rows(300, "globex"))]
    summary = client.raw_insert("events", insert_block=b"".join(frames), fmt="JSONEachRow", compression=encoding)
    assert summary.written_rows == 1_000
    query = "SELECT organization_id, count() FROM events GROUP BY ALL ORDER BY ALL"
    assert client.query(query).result_rows == [("acme", 700), ("globex", 300)]
    assert client.command("SELECT count() FROM system.parts WHERE active AND database = currentDatabase()") == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
def test_a_frame_that_is_cut_off_or_none_inserts_nothing(client: Client, encoding: str) -> None:
    whole = COMPRESS[encoding](rows(1_000))
    for body in (whole + whole[:-9], b"{}" * 99):
        with pytest.raises(DatabaseError) as refused:
            client.raw_insert("events", insert_block=body, fmt="JSONEachRow", compression=encoding)
        assert refused.value.code == 271
    assert count(client) == 0


def test_a_body_is_unpacked_a_megabyte_at_a_time() -> None:
    packed = zstd.compress(bytes(200 << 20))
    headers = Message()
    headers["Content-Length"] = str(len(packed))
    sizes = [len(piece) for piece in Text(RequestBody(io.BytesIO(packed), headers), "zstd").pieces()]
    assert sizes == [1 << 20] * 200


def test_a_token_is_inserted_once(client: Client) -> None:
    for token, total in (("a", 10), ("a", 10), ("b", 20), ("123", 30), ("123", 30)):
        fields = {"insert_deduplication_token": token}
        client.raw_insert("events", insert_block=rows(10), fmt="JSONEachRow", settings=fields)
        assert count(client) == total
    client.insert("events", [["globex", 1]], ["organization_id", "event_id"], settings=fields)
    assert count(client) == total, "whatever the rows, and whatever their format"


def test_columns_that_are_left_out_get_their_defaults_and_values_are_coerced(client: Client) -> None:
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
def test_one_bad_row_refuses_them_all(client: Client, row: bytes, fields: dict[str, str], code: int) -> None:
    with pytest.raises(DatabaseError) as refused:
        client.raw_insert("events", insert_block=rows(1_000) + row, fmt="JSONEachRow", settings=fields)
    assert refused.value.code == code
    assert count(client) == 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
def test_an_insert_may_be_written_as_for_a_server(client: Client, front: Served, query: str, body: str) -> None:
    fields: dict[str, Any] = {"query": query, "database": client.database, "param_one": "1", "param_table": "events"}
    status, answer, headers = front.ask(body, **fields)
    assert (status, answer) == (200, b"")
    assert json.loads(headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert client.query("SELECT event_id FROM events ORDER BY 1").result_columns == [[1, 2]]


def test_a_table_may_have_the_name_of_a_keyword(client: Client) -> None:
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


def test_fifty_thousand_rows_take_less_than_a_third_of_a_second(client: Client) -> None:
    row = {"organization_id": "acme", "received_at": "2026-11-24 00:00:00.123", "properties": "x" * 250}
    block = zstd.compress(b"".join(json.dumps({**row, "event_id": n}).encode() for n in range(50_000)), level=1)
    client.command("ALTER TABLE events ADD COLUMN properties String")

    def seconds() -> float:
        start = time.perf_counter()
        client.raw_insert("events", insert_block=block, fmt="JSONEachRow", compression="zstd")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 50_000 / 150_000


# Errors, and what clients do wrong


@pytest.mark.parametrize(
    ("statement", "code", "status"),
    [
        ("SELECT * FROM nowhere", 60, 404),
        ("SELEC 1", 62, 400),
        ("1 + 1", 62, 400),
        ("", 62, 400),
        ("SELECT nothing", 47, 404),
        ("SELECT 1 FORMAT Nothing", 73, 404),
        ("SELECT 1; DROP TABLE events", 62, 400),
        ("SELECT 1 INTO OUTFILE 'x.csv'", 358, 500),
        ("INSERT INTO events FROM INFILE 'x.csv' FORMAT CSV", 48, 501),
        ("INSERT INTO events SELECT * FROM input('n UInt8') FORMAT CSV\n1", 48, 501),
        ("INSERT INTO events FORMAT CSV;1", 62, 400),
        ("CREATE ROW POLICY p ON events USING 1 TO ALL", 497, 403),
    ],
)
def test_an_error_has_the_servers_code_and_status(
    client: Client, front: Served, statement: str, code: int, status: int
) -> None:
    assert front.ask(statement, database=client.database or "")[0] == status
    assert code_of(front, statement, database=client.database or "") == code
    assert count(client) == 0
    if statement:
        with pytest.raises(DatabaseError) as refused:
            client.command(statement)
        assert refused.value.code == code


def test_a_body_that_is_too_much_or_unreadable_is_refused(front: Served) -> None:
    assert front.ask(b"x", {"Content-Encoding": "br"})[2]["X-ClickHouse-Exception-Code"] == "89"
    assert front.ask(zstd.compress(b" " * (65 << 20)), {"Content-Encoding": "zstd"})[0] == 413
    assert front.ask(b"x", {"Content-Type": "multipart/form-data"})[0] == 400
    assert code_of(front, b"SELECT 1", decompress="1") == 48


def test_after_a_refused_body_the_connection_serves_on(front: Served) -> None:
    with front.connection() as connection:
        connection.connect()
        before = connection.sock
        assert ask(connection, b"INSERT INTO nowhere FORMAT JSONEachRow\n" + rows(100_000))[0] == 404
        assert ask(connection, "SELECT 1")[1] == b"1\n"
        assert connection.sock is before


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 99999999\r\n\r\n" + rows(1_000),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(rows(1_000)), rows(1_000)),
    ],
)
def test_a_client_that_goes_away_has_inserted_nothing(client: Client, front: Served, sent: bytes) -> None:
    path = f"/?{urlencode({'query': 'INSERT INTO events FORMAT JSONEachRow', 'database': client.database})}"
    url = urlsplit(front.url)
    with socket.create_connection((url.hostname, url.port)) as gone:
        gone.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + sent)
        start = time.perf_counter()
        client.raw_insert("events", insert_block=rows(1, "globex"), fmt="JSONEachRow")
        assert time.perf_counter() - start < 5, "an unfinished insert holds nobody up"
    time.sleep(0.2)
    assert client.query("SELECT DISTINCT organization_id FROM events").result_rows == [("globex",)]


@pytest.mark.parametrize("framing", ["Content-Length: -1", "Content-Length: ten", "Transfer-Encoding: chunked"])
def test_a_request_that_is_no_http_is_answered_and_cut_off(front: Served, framing: str) -> None:
    url = urlsplit(front.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as wrong:
        wrong.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n-1\r\nSELECT 1".encode())
        answer = b"".join(iter(lambda: wrong.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert front.ask("SELECT 1")[1] == b"1\n"


def test_a_value_cannot_become_a_header(front: Served) -> None:
    headers = front.ask("SELECT 1", query_id="1\r\nX-Other: 1")[2]
    assert (headers["X-ClickHouse-Query-Id"], headers["X-Other"]) == ("1??X-Other: 1", None)


# Several clients at once, and the life of the process


def test_a_slow_query_holds_nobody_up(front: Served) -> None:
    slow = threading.Thread(target=front.ask, args=("SELECT sleep(1)",))
    slow.start()
    start = time.perf_counter()
    for _ in range(20):
        front.ask("SELECT 1")
    assert time.perf_counter() - start < 0.9
    slow.join()


def test_two_processes_write_and_read_at_the_same_time(client: Client, front: Served) -> None:
    script = """if True:
        import sys, clickhouse_connect
        organization_id, url, database = sys.argv[1:]
        client = clickhouse_connect.get_client(dsn=url, database=database)
        for n in range(10):
            rows = [[organization_id, n * 100 + i] for i in range(100)]
            client.insert("events", rows, ["organization_id", "event_id"])
            mine = "SELECT count() FROM events WHERE organization_id = {id:String}"
            assert client.command(mine, parameters={"id": organization_id}) == (n + 1) * 100
    """
    command = [sys.executable, "-c", script]
    processes = [subprocess.Popen([*command, name, front.url, str(client.database)]) for name in ("acme", "globex")]
    assert [process.wait(20) for process in processes] == [0, 0]
    assert count(client) == 2_000


def test_a_path_is_served_once_given_back_on_sigterm_and_survives_a_crash(tmp_path: Path) -> None:
    first = serve(tmp_path)
    first.ask("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n")
    with pytest.raises(RuntimeError, match="is it served already"):
        serve(tmp_path)

    with first.connection() as idle, ThreadPoolExecutor(1) as pool:
        ask(idle, "INSERT INTO t VALUES (1)")
        running = pool.submit(first.ask, "SELECT sleep(0.5)")
        time.sleep(0.2)
        assert stop(first) == (0, "")
        assert running.result()[1] == b"0\n", "what runs is answered"

    second = serve(tmp_path)
    second.ask("INSERT INTO t VALUES (2)")
    assert stop(second, signal.SIGKILL)[0] == -signal.SIGKILL

    third = serve(tmp_path)
    assert third.ask("SELECT count() FROM t")[1] == b"2\n"
    assert stop(third) == (0, "")
