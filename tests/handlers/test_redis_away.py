"""Redis away, in every way that it can be: nobody waits, nobody is locked out, nothing is lost, nobody comes back."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from threading import Event as Signal
from threading import Thread

import pytest
from redis import Redis as Client

from tenancy.rules.tenant import RateBucket
from tenancy.stores.aws.secrets import DATABASE, REDIS
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import GIVE_BACK
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, tenant_of
from tests.handlers.doors import door
from tests.handlers.functions import TEMPLATE, Function, PutSecret, Start, superuser
from tests.handlers.queues import events_in
from tests.handlers.requests import Event, answer_of, called_by, problem_of, recent, sample, with_body

LIMIT = 100
LONG_SECONDS = 10  # five hundred waits for a silent server would not end before
PATIENCE_MS = int(TEMPLATE["Parameters"]["RedisPatienceMilliseconds"]["Default"])

type Speak = Callable[[socket.socket, Signal], None]


@contextmanager
def server(speak: Speak) -> Iterator[str]:
    """Serve Redis's port with something that *speak*s like none."""
    listener, over = socket.create_server(("127.0.0.1", 0)), Signal()

    def serve() -> None:
        with suppress(OSError):
            while not over.is_set():
                connection, _ = listener.accept()
                Thread(target=_talk, args=(speak, connection, over), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    finally:
        over.set()
        listener.close()


def _talk(speak: Speak, connection: socket.socket, over: Signal) -> None:
    with suppress(OSError), connection:
        speak(connection, over)


def says_nothing(_connection: socket.socket, over: Signal) -> None:
    over.wait(30)


def is_slow(connection: socket.socket, over: Signal) -> None:
    """Send a byte every 30 ms: no single wait is long."""
    while connection.recv(65_536):
        for byte in b"$1000\r\n" + b"x" * 1000:
            if over.wait(0.03):
                return
            connection.sendall(bytes([byte]))


def hangs_up(connection: socket.socket, _over: Signal) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def refuses(error: str) -> Speak:
    def speak(connection: socket.socket, _over: Signal) -> None:
        while connection.recv(65_536):
            connection.sendall(f"-{error}\r\n".encode())

    return speak


FAULTS: dict[str, Speak] = {
    "silent": says_nothing,
    "slow": is_slow,
    "reset": hangs_up,
    "full": refuses("OOM command not allowed when used memory > 'maxmemory'."),
    "failing over": refuses("READONLY You can't write against a read only replica."),
    "loading": refuses("LOADING Valkey is loading the dataset in memory"),
    "a cluster without its slots": refuses("CLUSTERDOWN Hash slot not served"),
    "no longer ours": refuses("WRONGPASS invalid username-password pair or user is disabled."),
}


@pytest.fixture(params=[*FAULTS, "refused", "no URL"])
def away(request: pytest.FixtureRequest, start: Start, put_secret: PutSecret, nowhere: str) -> Iterator[str]:  # noqa: ARG001
    """Put Redis's secret in place after `start` did, which knows a good one."""
    if request.param == "refused":
        put_secret(REDIS, f"redis://{nowhere}/0")
        yield request.param
        return
    if request.param == "no URL":
        put_secret(REDIS, "host:6379")
        yield request.param
        return
    with server(FAULTS[request.param]) as url:
        put_secret(REDIS, url)
        yield request.param


@pytest.fixture
def hasty(start: Start, secrets: None) -> Start:  # noqa: ARG001
    """Start functions as patient as they are by default."""
    return lambda name: start(name, REDIS_PATIENCE_MS=str(PATIENCE_MS))


def device(acme: Provisioned) -> Event:
    tenant = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    return called_by(with_body(sample("ingest", "events"), {"events": [recent(1)]}), tenant)


def in_one_window(ingest: Function, request: Event, times: int) -> list[int]:
    return [answer_of(ingest(request)).status for _ in range(times)]


@pytest.mark.usefixtures("away")
def test_requests_go_on_within_limits_of_this_process_and_events_are_not_lost(
    hasty: Start, acme: Provisioned, aws: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest = hasty("ingest")
    first = answer_of(ingest(device(acme)))
    assert (first.status, first.document["accepted"]) == (200, 1)
    assert first.headers["ratelimit-policy"] == f'"rpm";q={LIMIT};w=60'
    assert first.headers["ratelimit"].startswith(f'"rpm";r={LIMIT - 1};t=')
    statuses = in_one_window(ingest, device(acme), LIMIT)
    assert statuses == [200] * (LIMIT - 1) + [429]
    assert len(events_in(aws.queue_url)) == LIMIT
    metrics = [line for line in capsys.readouterr().out.splitlines() if "AdmissionDegraded" in line]
    assert len(metrics) == LIMIT + 1


@pytest.mark.usefixtures("away")
def test_a_suspension_and_a_revocation_hold_without_redis(
    hasty: Start, databases: Databases, acme: Provisioned
) -> None:
    ingest = hasty("ingest")
    assert answer_of(ingest(device(acme))).status == 200
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'suspended'")
    problem_of(ingest(device(acme)), device(acme), 403, "organization_inactive")
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'active'")
        conn.execute("UPDATE api_keys SET revoked_at = now()")
    problem_of(ingest(device(acme)), device(acme), 401, "unauthenticated")


@pytest.mark.usefixtures("away")
def test_without_postgresql_as_well_the_client_is_asked_to_come_back(
    hasty: Start, put_secret: PutSecret, acme: Provisioned, aws: AwsAccount, nowhere: str
) -> None:
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    problem_of(hasty("ingest")(device(acme)), device(acme), 503, "unavailable")
    assert events_in(aws.queue_url) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wait_is_bounded_as_a_whole_and_those_who_come_after_do_not_wait(fault: str) -> None:
    """A slow server would take half a minute to finish one answer."""
    connections: list[socket.socket] = []

    def speak(connection: socket.socket, over: Signal) -> None:
        connections.append(connection)
        FAULTS[fault](connection, over)

    began = time.monotonic()
    with server(speak) as url, closing(Redis(lambda: url, timeout_seconds=PATIENCE_MS / 1000)) as redis:
        for _ in range(500):
            with pytest.raises(RedisUnreachableError):
                redis.run(GIVE_BACK, ["{a}:usage"], ["", 0, 0])
    assert time.monotonic() - began < LONG_SECONDS
    assert len(connections) <= 2


@pytest.mark.usefixtures("secrets")
def test_redis_that_comes_back_is_asked_again_and_counts_again(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    with door(databases.servers.valkey_port) as way:
        url = databases.servers.valkey_url.replace(str(databases.servers.valkey_port), str(way.port))
        put_secret(REDIS, url)
        ingest = start("ingest")
        assert answer_of(ingest(device(acme))).headers["ratelimit"].startswith(f'"rpm";r={LIMIT - 1};')
        way.shut()
        assert answer_of(ingest(device(acme))).status == 200
        put_secret(REDIS, databases.servers.valkey_url)
    later = time.monotonic() + 600  # when the secret is read again, and Redis tried
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert answer_of(ingest(device(acme))).headers["ratelimit"].startswith(f'"rpm";r={LIMIT - 2};')


@pytest.mark.usefixtures("secrets")
def test_a_flush_under_a_running_function_is_no_fault_and_revives_no_key(
    start: Start, databases: Databases, acme: Provisioned
) -> None:
    ingest, device_request = start("ingest"), device(acme)
    statuses = []
    with Client.from_url(databases.servers.valkey_url) as client:
        for number in range(150):
            if number in {40, 90}:
                client.flushall()
            if number == 91:
                with superuser(databases) as conn:
                    conn.execute("UPDATE api_keys SET revoked_at = now()")
                client.flushall()
            statuses.append(answer_of(ingest(device_request)).status)
    assert statuses == [200] * 91 + [401] * 59
