"""TLS to each database: only a certificate of a trusted root, for the host in the URL, is accepted."""

from contextlib import closing
from pathlib import Path

import pytest

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.stores.clickhouse.client import connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis, RedisUnreachableError, Script
from tests.given import PATIENCE_SECONDS, Databases, Servers
from tests.stores.private_authority import Authority, make_authority, tls_server

OTHER_HOST = "database.example"

LARGE_SECONDS = 300.0  # for 16 MB through the test's own TLS, on a machine that may be slow


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "trusted")


@pytest.fixture(params=["another root", "another host", "no file"])
def distrusted(request: pytest.FixtureRequest, tmp_path: Path, trusted: Authority) -> tuple[Authority, Path]:
    """Return the authority of a server, and a file of roots by which a client must refuse it."""
    if request.param == "another host":
        other = make_authority(tmp_path / "other", OTHER_HOST)
        return other, other.root_file
    if request.param == "another root":
        return trusted, make_authority(tmp_path / "other").root_file
    return trusted, tmp_path / "missing.pem"


def query_postgres(databases: Databases, port: int, roots: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Query PostgreSQL on *port* as a deployed function does: with PGSSLROOTCERT and verify-full."""
    monkeypatch.setenv("PGSSLROOTCERT", str(roots))
    plain = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    url = plain.replace(f":{databases.servers.postgres_port}/", f":{port}/") + "?sslmode=verify-full"
    with closing(Database(lambda: url)) as database, database.transaction() as conn:
        return conn.execute("SELECT 1").fetchone()


def test_postgresql_takes_a_certificate_of_the_root(
    databases: Databases, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(trusted, databases.servers.postgres_port, is_postgres=True) as port:
        answer = query_postgres(databases, port, trusted.root_file, monkeypatch)

    assert answer == (1,)


def test_postgresql_refuses_other_certificates(
    databases: Databases, distrusted: tuple[Authority, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, roots = distrusted
    with (
        tls_server(authority, databases.servers.postgres_port, is_postgres=True) as port,
        pytest.raises(UnavailableError),
    ):
        query_postgres(databases, port, roots, monkeypatch)


def test_postgresql_without_tls_is_refused(
    databases: Databases, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnavailableError):
        query_postgres(databases, databases.servers.postgres_port, trusted.root_file, monkeypatch)


@pytest.fixture
def ping(tmp_path: Path) -> Script:
    file = tmp_path / "ping.lua"
    file.write_text("return #KEYS")
    return Script(file)


def secure_redis_url(servers: Servers, port: int) -> str:
    plain = servers.valkey_url.replace(f":{servers.valkey_port}/", f":{port}/")
    return plain.replace("redis://", "rediss://")


def run(url: str, script: Script) -> object:
    with closing(Redis(lambda: url, timeout_seconds=PATIENCE_SECONDS)) as redis:
        return redis.run(script, ["{acme}"], [])


def test_redis_takes_a_certificate_of_the_root(servers: Servers, trusted: Authority, ping: Script) -> None:
    with tls_server(trusted, servers.valkey_port) as port:
        answer = run(f"{secure_redis_url(servers, port)}?ssl_ca_certs={trusted.root_file}", ping)

    assert answer == 1


def test_redis_refuses_other_certificates(servers: Servers, distrusted: tuple[Authority, Path], ping: Script) -> None:
    authority, roots = distrusted
    with tls_server(authority, servers.valkey_port) as port, pytest.raises(RedisUnreachableError):
        run(f"{secure_redis_url(servers, port)}?ssl_ca_certs={roots}", ping)


def test_redis_keeps_its_connection_over_tls(servers: Servers, trusted: Authority, ping: Script) -> None:
    with tls_server(trusted, servers.valkey_port) as port:
        url = f"{secure_redis_url(servers, port)}?ssl_ca_certs={trusted.root_file}"
        with closing(Redis(lambda: url, timeout_seconds=PATIENCE_SECONDS)) as redis:
            redis.run(ping, ["{acme}"], [])
            first = redis._kept[0]

            redis.run(ping, ["{acme}"], [])

            assert redis._kept[0] is first


def test_large_commands_and_replies_are_complete_over_tls(servers: Servers, trusted: Authority, tmp_path: Path) -> None:
    file, text = tmp_path / "echo.lua", "ä" * 4_000_000
    file.write_text("return ARGV")
    with tls_server(trusted, servers.valkey_port) as port:
        url = f"{secure_redis_url(servers, port)}?ssl_ca_certs={trusted.root_file}"
        with closing(Redis(lambda: url, timeout_seconds=LARGE_SECONDS)) as redis:
            results = redis.run_each(Script(file), [([], [text, number]) for number in range(2)])

    assert results == [[text, str(number)] for number in range(2)]


def query_clickhouse(databases: Databases, port: int, roots: Path) -> object:
    with closing(connect(f"https://127.0.0.1:{port}/{databases.name}?ca_cert={roots}")) as client:
        return client.query("SELECT 1").result_rows


def test_clickhouse_takes_a_certificate_of_the_root(databases: Databases, trusted: Authority) -> None:
    with tls_server(trusted, databases.servers.clickhouse_port) as port:
        answer = query_clickhouse(databases, port, trusted.root_file)

    assert answer == [(1,)]


def test_clickhouse_refuses_other_certificates(databases: Databases, distrusted: tuple[Authority, Path]) -> None:
    authority, roots = distrusted
    with tls_server(authority, databases.servers.clickhouse_port) as port, pytest.raises((UnavailableError, OSError)):
        query_clickhouse(databases, port, roots)


@pytest.fixture
def other_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Authority:
    """Make the roots of the system those of a private authority alone."""
    system = make_authority(tmp_path / "system")
    monkeypatch.setenv("SSL_CERT_FILE", str(system.root_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return system


def test_redis_url_without_roots_means_those_of_the_system(
    servers: Servers, trusted: Authority, other_system: Authority, ping: Script
) -> None:
    with tls_server(other_system, servers.valkey_port) as port:
        assert run(secure_redis_url(servers, port), ping) == 1
    with tls_server(trusted, servers.valkey_port) as port, pytest.raises(RedisUnreachableError):
        run(secure_redis_url(servers, port), ping)


def test_clickhouse_url_without_roots_means_those_of_the_system(
    databases: Databases, trusted: Authority, other_system: Authority
) -> None:
    with tls_server(other_system, databases.servers.clickhouse_port) as port:
        connect(f"https://127.0.0.1:{port}/{databases.name}").close()
    with tls_server(trusted, databases.servers.clickhouse_port) as port, pytest.raises(UnavailableError):
        connect(f"https://127.0.0.1:{port}/{databases.name}")
