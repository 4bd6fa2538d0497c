"""The embedded ClickHouse as a server: errors, faulty clients, and its process."""

import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from backports import zstd
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.stack.clickhouse_clients import Served, ask, code_of, count, rows, serve, stop
from tests.stack.waiting import LIMIT_SECONDS, wait_until

ENDLESS = "SELECT sleepEachRow(1) FROM numbers(1e6) SETTINGS max_block_size = 1"
TABLE = "CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n"

# Errors, and faulty clients


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
def test_error_has_the_servers_code_and_status(
    client: Client, front: Served, statement: str, code: int, status: int
) -> None:
    answered = front.ask(statement, database=client.database or "")[0]

    assert answered == status
    assert code_of(front, statement, database=client.database or "") == code
    assert count(client) == 0
    if statement:
        with pytest.raises(DatabaseError) as refused:
            client.command(statement)
        assert refused.value.code == code


def test_body_of_unknown_encoding_is_refused(front: Served) -> None:
    headers = front.ask(b"x", {"Content-Encoding": "br"})[2]

    assert headers["X-ClickHouse-Exception-Code"] == "89"


def test_query_of_more_than_64_mib_is_refused(front: Served) -> None:
    status = front.ask(zstd.compress(b" " * (65 << 20)), {"Content-Encoding": "zstd"})[0]

    assert status == 413


def test_parameter_above_the_servers_limit_is_refused(front: Served) -> None:
    def length_of(value: str) -> tuple[int, bytes]:
        form = f'--b\r\nContent-Disposition: form-data; name="param_text"\r\n\r\n{value}\r\n--b--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        return front.ask(form.encode(), headers, query="SELECT length({text:String})")[:2]

    status, text = length_of("é" * 65_536 + "xx")

    assert length_of("é" * 65_536 + "x") == (200, b"131073\n")
    assert (status, text[:11]) == (500, b"Code: 1000.")


def test_form_without_a_boundary_is_refused(front: Served) -> None:
    status = front.ask(b"x", {"Content-Type": "multipart/form-data"})[0]

    assert status == 400


def test_native_block_compression_is_refused(front: Served) -> None:
    code = code_of(front, b"SELECT 1", decompress="1")

    assert code == 48


def test_connection_serves_on_after_a_refused_body(front: Served) -> None:
    with front.connection() as connection:
        connection.connect()
        before = connection.sock

        status = ask(connection, b"INSERT INTO nowhere FORMAT JSONEachRow\n" + rows(100_000))[0]
        answer = ask(connection, "SELECT 1")[1]

        assert (status, answer) == (404, b"1\n")
        assert connection.sock is before


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 99999999\r\n\r\n" + rows(1_000),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(rows(1_000)), rows(1_000)),
    ],
)
def test_unfinished_insert_blocks_no_other_and_inserts_nothing(client: Client, front: Served, sent: bytes) -> None:
    path = f"/?{urlencode({'query': 'INSERT INTO events FORMAT JSONEachRow', 'database': client.database})}"
    url = urlsplit(front.url)
    with socket.create_connection((url.hostname, url.port), timeout=LIMIT_SECONDS) as unfinished:
        unfinished.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + sent)

        client.raw_insert("events", insert_block=rows(1, "globex"), fmt="JSONEachRow")
        unfinished.shutdown(socket.SHUT_WR)
        b"".join(iter(lambda: unfinished.recv(65_536), b""))  # the server has noticed the end

    assert client.query("SELECT DISTINCT organization_id FROM events").result_rows == [("globex",)]


@pytest.mark.parametrize("framing", ["Content-Length: -1", "Content-Length: ten", "Transfer-Encoding: chunked"])
def test_malformed_request_is_answered_and_cut_off(front: Served, framing: str) -> None:
    url = urlsplit(front.url)
    with socket.create_connection((url.hostname, url.port), timeout=LIMIT_SECONDS) as wrong:
        wrong.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n-1\r\nSELECT 1".encode())

        answer = b"".join(iter(lambda: wrong.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert front.ask("SELECT 1")[1] == b"1\n"


def test_value_cannot_become_a_header(front: Served) -> None:
    headers = front.ask("SELECT 1", query_id="1\r\nX-Other: 1")[2]

    assert (headers["X-ClickHouse-Query-Id"], headers["X-Other"]) == ("1??X-Other: 1", None)


# Several clients at once, and the life of the process


def test_slow_query_blocks_no_other(front: Served) -> None:
    slow = threading.Thread(target=front.ask, args=(ENDLESS,))
    slow.start()
    wait_until(lambda: front.runs(ENDLESS))

    answers = [front.ask("SELECT 1")[1] for _ in range(20)]

    assert answers == [b"1\n"] * 20
    assert front.runs(ENDLESS)
    front.ask("KILL QUERY WHERE query LIKE 'SELECT sleepEachRow%' SYNC")
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
    statuses = [process.wait() for process in processes]

    assert statuses == [0, 0]
    assert count(client) == 2_000


def test_path_is_served_by_one_process_only(tmp_path: Path) -> None:
    first = serve(tmp_path)

    with pytest.raises(RuntimeError, match="is it served already"):
        serve(tmp_path)

    assert stop(first) == (0, "")


def test_running_query_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    front = serve(tmp_path)
    with front.connection() as idle, ThreadPoolExecutor(1) as pool:
        ask(idle, "SELECT 1")
        running = pool.submit(front.ask, "SELECT sleep(2)")
        wait_until(lambda: running.done() or front.runs("SELECT sleep(2)"))

        stopped = stop(front)

        assert stopped == (0, "")
        assert running.result()[1] == b"0\n"


def test_rows_survive_a_stop_and_a_crash(tmp_path: Path) -> None:
    first = serve(tmp_path)
    first.ask(TABLE)
    first.ask("INSERT INTO t VALUES (1)")
    stop(first)
    second = serve(tmp_path)
    second.ask("INSERT INTO t VALUES (2)")
    crashed = stop(second, signal.SIGKILL)[0]

    third = serve(tmp_path)
    counted = third.ask("SELECT count() FROM t")[1]

    assert (crashed, counted) == (-signal.SIGKILL, b"2\n")
    assert stop(third) == (0, "")
