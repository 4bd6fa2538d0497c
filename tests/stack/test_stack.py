"""The parts of the stack start, survive a crash, and keep their secrets."""

import fcntl
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import valkey as valkey_client

from scripts.stack import aws, postgres, processes, stack, valkey
from scripts.stack.addresses import Addresses
from scripts.stack.credentials import Credentials
from scripts.stack.deployment import SAVE_PATH, SAVE_SECONDS
from scripts.stack.errors import StackError
from scripts.stack.loopback import request
from scripts.stack.ports import choose_ports
from scripts.stack.processes import Launch
from scripts.stack.settings import LOOPBACK, StackSettings
from tests.stack.waiting import wait_until

GIVE_A_FUNCTION_AWAY = """
    CREATE SCHEMA lookups;
    GRANT USAGE, CREATE ON SCHEMA lookups TO tenancy_lookup;
    CREATE FUNCTION lookups.one() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
    ALTER FUNCTION lookups.one() OWNER TO tenancy_lookup;
"""
WAIT_AND_SUCCEED = {
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "TimestampPath": "$.until", "Next": "Succeed"},
        "Succeed": {"Type": "Succeed"},
    },
}


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
        wait_until(lambda: not processes.is_running(process))


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


def test_second_start_starts_nothing(running: Running) -> None:
    before = stack.status(running.settings)

    said = running.start_all()

    assert said == []
    assert stack.status(running.settings) == before


def test_committed_rows_survive_kill_9_of_postgres(running: Running) -> None:
    with psycopg.connect(running.addresses.owner, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (id int)")
        conn.execute("INSERT INTO kept VALUES (1)")
    running.kill(postgres.NAME)

    said = running.start_all()

    assert "starting postgres" in said
    with psycopg.connect(running.addresses.owner) as conn:
        assert conn.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_postgres_starts_although_its_lock_names_another_program(running: Running) -> None:
    lock = running.settings.directory / "postgres" / "data" / "postmaster.pid"
    written = lock.read_text(encoding="utf-8").splitlines()
    running.kill(postgres.NAME)
    lock.write_text("\n".join([str(os.getpid()), *written[1:]]), encoding="utf-8")

    said = running.start_all()

    assert "starting postgres" in said


def test_acknowledged_keys_survive_kill_9_of_valkey(running: Running) -> None:
    with valkey_client.Valkey.from_url(running.addresses.valkey) as client:
        client.set("kept", 1)
    running.kill(valkey.NAME)

    said = running.start_all()

    assert "starting valkey" in said
    with valkey_client.Valkey.from_url(running.addresses.valkey) as client:
        assert client.get("kept") == b"1"


def test_execution_continues_after_kill_9_of_aws(running: Running) -> None:
    step_functions = aws.client("stepfunctions", running.addresses.aws)
    machine = step_functions.create_state_machine(
        name="waits", definition=json.dumps(WAIT_AND_SUCCEED), roleArn="arn:aws:iam::000000000000:role/waits"
    )["stateMachineArn"]
    until = datetime.now(UTC) + timedelta(seconds=20)
    execution = step_functions.start_execution(
        stateMachineArn=machine, input=json.dumps({"until": until.strftime("%Y-%m-%dT%H:%M:%SZ")})
    )["executionArn"]
    request(f"{running.addresses.aws}{SAVE_PATH}", method="POST", seconds=SAVE_SECONDS)
    running.kill(aws.NAME)

    running.start_all()

    wait_until(lambda: step_functions.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    assert datetime.now(UTC) > until - timedelta(seconds=1)


def test_all_parts_come_back_after_all_were_killed(running: Running) -> None:
    for name in stack.STOP_ORDER:
        running.kill(name)

    said = running.start_all()

    assert {f"starting {name}" for name in stack.STOP_ORDER} <= set(said)
    assert all(stack.status(running.settings).values())


def test_owner_is_no_superuser(running: Running) -> None:
    with psycopg.connect(running.addresses.owner, autocommit=True) as conn:
        roles = conn.execute("SELECT rolname FROM pg_roles WHERE rolsuper OR rolbypassrls").fetchall()

    assert roles == [("postgres",)]


def test_owner_may_give_functions_to_the_lookup_role(running: Running) -> None:
    with psycopg.connect(running.addresses.owner, autocommit=True) as conn:
        conn.execute(GIVE_A_FUNCTION_AWAY)

        owners = conn.execute("SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'one'").fetchall()

    assert owners == [("tenancy_lookup",)]


@pytest.mark.parametrize("role", ["functions", "platform", "authorizer"])
def test_role_of_the_functions_creates_no_tables(running: Running, role: str) -> None:
    with (
        psycopg.connect(getattr(running.addresses, role)) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("CREATE TABLE public.mine (id int)")


def test_postgres_needs_a_password(running: Running) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password"):
        psycopg.connect(running.addresses.owner.replace(running.credentials.owner, ""))


def test_valkey_needs_a_password(running: Running) -> None:
    nameless = running.addresses.valkey.replace(f":{running.credentials.valkey}@", "")

    with valkey_client.Valkey.from_url(nameless) as client, pytest.raises(valkey_client.AuthenticationError):
        client.ping()


def test_passwords_and_keys_are_for_their_owner_only(running: Running) -> None:
    file = running.settings.directory / "credentials.json"

    assert file.stat().st_mode & 0o777 == 0o600
    assert Credentials.load(running.settings.directory) == running.credentials


def test_public_key_set_holds_no_private_member(running: Running) -> None:
    [public] = json.loads(running.credentials.public_key_set())["keys"]
    [private] = json.loads(running.credentials.private_key_set())["keys"]

    assert set(private) - set(public) == {"d"}
    assert public["alg"] == "ES256"


def test_launch_on_another_port_is_another_launch(running: Running) -> None:
    def valkey_on(port: int) -> Launch:
        return valkey.prepare(running.settings, port=port, password=running.credentials.valkey)

    here = processes.serves(running.settings.directory, valkey_on(running.ports["valkey"]))
    elsewhere = processes.serves(running.settings.directory, valkey_on(running.ports["valkey"] + 1))

    assert (here, elsewhere) == (True, False)


def test_output_of_a_failed_initdb_is_shown(settings: StackSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = settings.directory / "programs"
    programs.mkdir()
    (programs / "initdb").write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n", encoding="utf-8")
    (programs / "initdb").chmod(0o755)
    monkeypatch.setattr(postgres, "PROGRAMS", programs)
    elsewhere = replace(settings, directory=settings.directory / "other")
    launch = postgres.prepare(elsewhere, port=1, credentials=Credentials.load(settings.directory))

    with pytest.raises(StackError, match=r"^no space left\ninitdb failed\.$"):
        launch.before_start()


def test_second_command_waits_for_the_first(settings: StackSettings) -> None:
    said: list[str] = []
    waits = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waits.set()

    with (settings.directory / "lock").open("w") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = pool.submit(stack.down, replace(settings, directory=settings.directory), say)
        waits.wait()
        waited = not second.done()
        fcntl.flock(lock, fcntl.LOCK_UN)
        second.result()

    assert waited
    assert said[0] == f"waiting for another command that works in {settings.directory}"
