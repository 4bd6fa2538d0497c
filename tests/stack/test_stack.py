import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
import pytest
import valkey as valkey_client

from scripts.stack import postgres, processes, stack, valkey
from scripts.stack.addresses import Addresses
from scripts.stack.credentials import Credentials
from scripts.stack.ports import choose_ports
from scripts.stack.processes import Launch
from scripts.stack.settings import LOOPBACK, StackSettings

GIVE_A_FUNCTION_AWAY = """
    CREATE SCHEMA lookups;
    GRANT USAGE, CREATE ON SCHEMA lookups TO tenancy_lookup;
    CREATE FUNCTION lookups.one() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
    ALTER FUNCTION lookups.one() OWNER TO tenancy_lookup;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    settings: StackSettings
    ports: Mapping[str, int]
    credentials: Credentials
    addresses: Addresses

    def start_all(self) -> list[str]:
        said: list[str] = []
        stack.start_all(self.settings, self.ports, self.credentials, said.append)
        return said

    def kill(self, name: str) -> None:
        process = processes.find_running(self.settings.directory, name)
        assert process
        os.kill(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def running(settings: StackSettings) -> Iterator[Running]:
    credentials = Credentials.load(settings.directory)
    ports = choose_ports(settings, in_use=())
    addresses = Addresses.at(LOOPBACK, ports, credentials)
    it = Running(settings=settings, ports=ports, credentials=credentials, addresses=addresses)
    it.start_all()
    yield it
    stack.down(settings, lambda _line: None)
    assert not any(stack.status(settings).values())


def test_a_second_start_starts_nothing(running: Running) -> None:
    before = stack.status(running.settings)
    assert running.start_all() == []
    assert stack.status(running.settings) == before


def test_committed_rows_survive_kill_9_of_postgres(running: Running) -> None:
    with psycopg.connect(running.addresses.owner, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (id int)")
        conn.execute("INSERT INTO kept VALUES (1)")
    running.kill(postgres.NAME)
    assert running.start_all() == ["starting postgres"]
    with psycopg.connect(running.addresses.owner) as conn:
        assert conn.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_postgres_starts_although_its_lock_names_a_living_program(running: Running) -> None:
    lock = running.settings.directory / "postgres" / "data" / "postmaster.pid"
    written = lock.read_text(encoding="utf-8").splitlines()
    running.kill(postgres.NAME)
    lock.write_text("\n".join([str(os.getpid()), *written[1:]]), encoding="utf-8")
    assert running.start_all() == ["starting postgres"]


def test_acknowledged_keys_survive_kill_9_of_valkey(running: Running) -> None:
    with valkey_client.Valkey.from_url(running.addresses.valkey) as client:
        client.set("kept", 1)
    running.kill(valkey.NAME)
    assert running.start_all() == ["starting valkey"]
    with valkey_client.Valkey.from_url(running.addresses.valkey) as client:
        assert client.get("kept") == b"1"


def test_all_parts_come_back_after_all_were_killed(running: Running) -> None:
    for name in stack.STOP_ORDER:
        running.kill(name)
    assert sorted(running.start_all()) == [f"starting {name}" for name in sorted(stack.STOP_ORDER)]


def test_the_owner_is_no_superuser_and_may_give_functions_to_the_lookup_role(running: Running) -> None:
    with psycopg.connect(running.addresses.owner, autocommit=True) as conn:
        roles = conn.execute("SELECT rolname FROM pg_roles WHERE rolsuper OR rolbypassrls").fetchall()
        assert roles == [("postgres",)]
        conn.execute(GIVE_A_FUNCTION_AWAY)


def test_the_functions_role_and_the_platform_role_log_in_and_own_nothing(running: Running) -> None:
    for url in (running.addresses.functions, running.addresses.platform):
        with psycopg.connect(url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("CREATE TABLE public.mine (id int)")


def test_nobody_enters_the_stores_without_a_password(running: Running) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password"):
        psycopg.connect(running.addresses.owner.replace(running.credentials.owner, ""))
    nameless = running.addresses.valkey.replace(f":{running.credentials.valkey}@", "")
    with valkey_client.Valkey.from_url(nameless) as client, pytest.raises(valkey_client.AuthenticationError):
        client.ping()


def test_passwords_and_keys_are_for_their_owner_only(running: Running) -> None:
    file = running.settings.directory / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert Credentials.load(running.settings.directory) == running.credentials


def test_the_public_key_set_holds_no_private_member(running: Running) -> None:
    [public] = json.loads(running.credentials.public_key_set())["keys"]
    [private] = json.loads(running.credentials.private_key_set())["keys"]
    assert set(private) - set(public) == {"d"}
    assert public["alg"] == "ES256"


def test_a_launch_that_moved_to_another_port_is_another_launch(running: Running) -> None:
    def valkey_on(port: int) -> Launch:
        return valkey.prepare(running.settings, port=port, password=running.credentials.valkey)

    here = valkey_on(running.ports["valkey"])
    assert processes.serves(running.settings.directory, here)
    elsewhere = valkey_on(running.ports["valkey"] + 1)
    assert not processes.serves(running.settings.directory, elsewhere)
