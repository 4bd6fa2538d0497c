"""Requests while Redis is unreachable: short waits, no lost event, revocations apply."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from threading import Event as Signal
from threading import Thread

import pytest
from psycopg.types.json import Jsonb
from redis import Redis as Client

from scripts.tcp_proxy import tcp_proxy
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.aws.secrets import DATABASE, REDIS
from tenancy.stores.redis import client as redis_client
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import GIVE_BACK
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import PutSecret, Start, superuser
from tests.handlers.queues import events_in
from tests.handlers.requests import Event, answer_of, called_by, problem_of, recent_event, sample, with_body
from tests.template.template import TEMPLATE

LIMIT = QUOTAS[Tier.STARTER].ingest_requests_per_minute
PATIENCE_MS = int(TEMPLATE["Parameters"]["RedisPatienceMilliseconds"]["Default"])
LONG_WAIT_SECONDS = 60  # a thousand times the patience: only a wait without a bound lasts longer
ENDLESS_ANSWER_SECONDS = 2 * LONG_WAIT_SECONDS
CLOSE_WITH_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"

type Behaviour = Callable[[socket.socket, Signal], None]


@contextmanager
def faulty_server(behave: Behaviour) -> Iterator[str]:
    """Serve a port on which each connection is left to *behave*, and yield its Redis URL."""
    listener, over = socket.create_server(("127.0.0.1", 0)), Signal()

    def serve() -> None:
        with suppress(OSError):
            while not over.is_set():
                connection, _ = listener.accept()
                Thread(target=_serve_connection, args=(behave, connection, over), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    finally:
        over.set()
        listener.close()


def _serve_connection(behave: Behaviour, connection: socket.socket, over: Signal) -> None:
    with suppress(OSError), connection:
        behave(connection, over)


def stay_silent(_connection: socket.socket, over: Signal) -> None:
    over.wait(ENDLESS_ANSWER_SECONDS)


def answer_slowly(connection: socket.socket, over: Signal) -> None:
    """Send a byte every 30 ms, so that no single read times out."""
    answer = b"$4000\r\n" + b"x" * 4000
    while connection.recv(65_536):
        for byte in answer:
            if over.wait(ENDLESS_ANSWER_SECONDS / len(answer)):
                return
            connection.sendall(bytes([byte]))


def reset_connection(connection: socket.socket, _over: Signal) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_WITH_RESET)


def answer_error(error: str) -> Behaviour:
    def behave(connection: socket.socket, _over: Signal) -> None:
        while connection.recv(65_536):
            connection.sendall(f"-{error}\r\n".encode())

    return behave


def after_greeting(behave: Behaviour) -> Behaviour:
    """Answer the PING of a new connection, and then *behave*."""

    def greet(connection: socket.socket, over: Signal) -> None:
        connection.recv(65_536)
        connection.sendall(b"+PONG\r\n")
        behave(connection, over)

    return greet


FAULTS: dict[str, Behaviour] = {
    "silent": stay_silent,
    "slow": answer_slowly,
    "reset": reset_connection,
    "full": answer_error("OOM command not allowed when used memory > 'maxmemory'."),
    "failing over": answer_error("READONLY You can't write against a read only replica."),
    "loading": answer_error("LOADING Valkey is loading the dataset in memory"),
    "a cluster without its slots": answer_error("CLUSTERDOWN Hash slot not served"),
    "wrong password": answer_error("WRONGPASS invalid username-password pair or user is disabled."),
}
# The client turns every fault into one error (test_one_call_waits_…), so two of them stand for all.
TIMED_OUT_OR_REFUSED = pytest.mark.parametrize("faulty_redis", ["silent", "refused"], indirect=True)


@pytest.fixture(params=[*FAULTS, "refused", "no URL"])
def faulty_redis(request: pytest.FixtureRequest, start: Start, put_secret: PutSecret, nowhere: str) -> Iterator[str]:  # noqa: ARG001
    """Replace the good URL, which `start` put into Redis's secret."""
    if request.param in FAULTS:
        with faulty_server(FAULTS[request.param]) as url:
            put_secret(REDIS, url)
            yield request.param
        return
    put_secret(REDIS, {"refused": f"redis://{nowhere}/0", "no URL": "host:6379"}[request.param])
    yield request.param


@pytest.fixture
def start_impatient(start: Start, secrets: None) -> Start:  # noqa: ARG001
    """Start functions that wait for Redis as long as the template says by default."""
    return lambda name: start(name, REDIS_PATIENCE_MS=str(PATIENCE_MS))


def device_request(acme: Provisioned) -> Event:
    tenant = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    return called_by(with_body(sample("ingest", "events"), {"events": [recent_event(1)]}), tenant)


@pytest.mark.usefixtures("faulty_redis")
def test_requests_are_admitted_and_events_are_queued(
    start_impatient: Start, acme: Provisioned, aws: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = answer_of(start_impatient("ingest")(device_request(acme)))

    assert (answer.status, answer.document["accepted"]) == (200, 1)
    assert answer.headers["ratelimit-policy"] == f'"rpm";q={LIMIT};w=60'
    assert answer.headers["ratelimit"].startswith(f'"rpm";r={LIMIT - 1};t=')
    assert len(events_in(aws.queue_url)) == 1
    assert "AdmissionDegraded" in capsys.readouterr().out


@pytest.mark.parametrize("faulty_redis", ["refused"], indirect=True)
@pytest.mark.usefixtures("faulty_redis")
def test_each_process_applies_the_rate_limit(
    start_impatient: Start,
    databases: Databases,
    acme: Provisioned,
    aws: AwsAccount,
    clock: StoppedClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    limit = 20
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET overrides = %s", (Jsonb({"ingest_requests_per_minute": limit}),))
    ingest, request = start_impatient("ingest"), device_request(acme)
    clock.stop(ingest)

    statuses = [answer_of(ingest(request)).status for _ in range(limit + 1)]

    assert statuses == [200] * limit + [429]
    assert len(events_in(aws.queue_url)) == limit
    degraded = [line for line in capsys.readouterr().out.splitlines() if "AdmissionDegraded" in line]
    assert len(degraded) == limit + 1

    clock.advance(timedelta(seconds=59))
    assert problem_of(ingest(request), request, 429, "rate_limited")["retry_after"] == 1

    clock.advance(timedelta(seconds=1))
    assert answer_of(ingest(request)).status == 200


@TIMED_OUT_OR_REFUSED
@pytest.mark.usefixtures("faulty_redis")
def test_suspension_and_revocation_apply_without_redis(
    start_impatient: Start, databases: Databases, acme: Provisioned
) -> None:
    ingest, request = start_impatient("ingest"), device_request(acme)
    assert answer_of(ingest(request)).status == 200

    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'suspended'")

    problem_of(ingest(request), request, 403, "organization_inactive")

    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'active'")
        conn.execute("UPDATE api_keys SET revoked_at = now()")

    problem_of(ingest(request), request, 401, "unauthenticated")


@TIMED_OUT_OR_REFUSED
@pytest.mark.usefixtures("faulty_redis")
def test_request_is_503_without_redis_and_postgresql(
    start_impatient: Start, put_secret: PutSecret, acme: Provisioned, aws: AwsAccount, nowhere: str
) -> None:
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    request = device_request(acme)

    problem_of(start_impatient("ingest")(request), request, 503, "unavailable")

    assert events_in(aws.queue_url) == []


@pytest.mark.parametrize("is_greeted", [False, True], ids=["at once", "after the greeting"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_call_waits_for_a_bounded_time_and_later_calls_not(
    fault: str, monkeypatch: pytest.MonkeyPatch, *, is_greeted: bool
) -> None:
    connections: list[socket.socket] = []

    def behave(connection: socket.socket, over: Signal) -> None:
        connections.append(connection)
        faulty = FAULTS[fault]
        (after_greeting(faulty) if is_greeted else faulty)(connection, over)

    monkeypatch.setattr(redis_client, "REDIS_FIRST_BREAK_SECONDS", ENDLESS_ANSWER_SECONDS)  # the break after a fault
    with faulty_server(behave) as url, closing(Redis(lambda: url, timeout_seconds=PATIENCE_MS / 1000)) as redis:
        began_at = time.monotonic()
        with pytest.raises(RedisUnreachableError):
            redis.run(GIVE_BACK, ["{a}:usage"], ["", 0, 0])
        assert time.monotonic() - began_at < LONG_WAIT_SECONDS

        for _ in range(20):
            with pytest.raises(RedisUnreachableError):
                redis.run(GIVE_BACK, ["{a}:usage"], ["", 0, 0])

    assert len(connections) <= 1


@pytest.mark.usefixtures("secrets")
def test_redis_is_used_again_when_it_is_reachable(
    start: Start,
    put_secret: PutSecret,
    databases: Databases,
    acme: Provisioned,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tcp_proxy(databases.servers.valkey_port) as proxy:
        url = databases.servers.valkey_url
        put_secret(REDIS, url.replace(str(databases.servers.valkey_port), str(proxy.port)))
        ingest, request = start("ingest"), device_request(acme)
        clock.stop(ingest)
        assert answer_of(ingest(request)).headers["ratelimit"].startswith(f'"rpm";r={LIMIT - 1};')
        proxy.cut()
        assert answer_of(ingest(request)).status == 200
        put_secret(REDIS, url)

    ten_minutes_later = time.monotonic() + 600  # past the break, and past the time for which the secret is cached
    monkeypatch.setattr(time, "monotonic", lambda: ten_minutes_later)

    assert answer_of(ingest(request)).headers["ratelimit"].startswith(f'"rpm";r={LIMIT - 2};')


@pytest.mark.usefixtures("secrets")
def test_flushed_redis_serves_requests_but_no_revoked_key(
    start: Start, databases: Databases, acme: Provisioned
) -> None:
    ingest, request = start("ingest"), device_request(acme)
    statuses = []

    with Client.from_url(databases.servers.valkey_url) as client:
        for number in range(12):
            if number in {3, 6}:
                client.flushall()
            if number == 9:
                with superuser(databases) as conn:
                    conn.execute("UPDATE api_keys SET revoked_at = now()")
                client.flushall()
            statuses.append(answer_of(ingest(request)).status)

    assert statuses == [200] * 9 + [401] * 3
