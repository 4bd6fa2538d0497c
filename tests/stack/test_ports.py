import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.stack.errors import StackError
from scripts.stack.ports import choose_ports
from scripts.stack.settings import LOOPBACK, PORT_VARIABLES, StackSettings

DOCUMENTATION_HOST = "192.0.2.1"  # RFC 5737: no machine has it


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(root=tmp_path, directory=tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def remember(settings: StackSettings, text: str) -> None:
    (settings.directory / "ports.json").write_text(text, encoding="utf-8")


def test_ports_stay_the_same(settings: StackSettings) -> None:
    first = choose_ports(settings, in_use=())

    second = choose_ports(settings, in_use=())

    assert first == second
    assert len(set(first.values())) == len(PORT_VARIABLES)


def test_remembered_port_of_another_program_is_replaced(settings: StackSettings, taken: int) -> None:
    remember(settings, f'{{"valkey": {taken}}}')

    ports = choose_ports(settings, in_use=())

    assert ports["valkey"] != taken


def test_port_of_the_running_part_is_kept(settings: StackSettings, taken: int) -> None:
    remember(settings, f'{{"valkey": {taken}}}')

    ports = choose_ports(settings, in_use=["valkey"])

    assert ports["valkey"] == taken


def test_requested_port_in_use_is_an_error(settings: StackSettings, taken: int) -> None:
    asked = replace(settings, ports={"valkey": taken})

    with pytest.raises(
        StackError, match=f"^VALKEY_PORT={taken} cannot be used: another program listens on it"
    ) as error:
        choose_ports(asked, in_use=())

    assert "\n" not in str(error.value)


def test_requested_port_of_a_stopped_part_moves_that_part(settings: StackSettings) -> None:
    before = choose_ports(settings, in_use=())
    asked = replace(settings, ports={"aws": before["api"]})

    after = choose_ports(asked, in_use=())

    assert after["aws"] == before["api"]
    assert len(set(after.values())) == len(PORT_VARIABLES)


@pytest.mark.parametrize("text", ["", "[]", '{"api": "x", "aws": 99999}', '{"api": 20001, "aws": 20001}', '{"api": '])
def test_damaged_memory_of_ports_needs_no_repair(settings: StackSettings, text: str) -> None:
    remember(settings, text)

    ports = choose_ports(settings, in_use=())

    assert len(set(ports.values())) == len(PORT_VARIABLES)


def test_unusable_port_leaves_no_trace(settings: StackSettings, taken: int) -> None:
    before = choose_ports(settings, in_use=())
    with pytest.raises(StackError):
        choose_ports(replace(settings, ports={"api": taken}), in_use=())

    after = choose_ports(settings, in_use=())

    assert after == before


def test_foreign_address_is_an_error(settings: StackSettings) -> None:
    asked = replace(settings, hosts=(LOOPBACK, DOCUMENTATION_HOST))

    with pytest.raises(StackError, match=f"^STACK_HOSTS names {DOCUMENTATION_HOST}, which is no IPv4 address") as error:
        choose_ports(asked, in_use=())

    assert "\n" not in str(error.value)


def test_environment_sets_folder_ports_hosts_and_grace(tmp_path: Path) -> None:
    environ = {
        "STACK_DIR": "elsewhere",
        "API_PORT": "18080",
        "DELETION_GRACE": "5",
        "STACK_HOSTS": "127.0.0.1, 172.17.0.1",
    }

    settings = StackSettings.from_env(environ, tmp_path)

    assert settings.directory == tmp_path / "elsewhere"
    assert settings.ports == {"api": 18080}
    assert settings.deletion_grace_seconds == 5
    assert settings.hosts == ("127.0.0.1", "172.17.0.1")
    assert (settings.local_host, settings.single_host) == ("127.0.0.1", "0.0.0.0")


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    names = ["STACK_DIR", "STACK_HOSTS", "DELETION_GRACE", *PORT_VARIABLES.values()]

    settings = StackSettings.from_env(dict.fromkeys(names, ""), tmp_path)

    assert settings == StackSettings.from_env({}, tmp_path)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"API_PORT": "abc"}, "API_PORT=abc is not valid: set it to a number from 1 to 65535."),
        ({"API_PORT": "99999"}, "API_PORT=99999 is not valid: set it to a number from 1 to 65535."),
        ({"VALKEY_PORT": "-1"}, "VALKEY_PORT=-1 is not valid: set it to a number from 1 to 65535."),
        ({"AWS_PORT": "9000", "API_PORT": "9000"}, "AWS_PORT and API_PORT are both 9000: give each a port of its own."),
        ({"DELETION_GRACE": "soon"}, "DELETION_GRACE=soon is not valid: set it to a number from 0 to 31536000."),
    ],
)
def test_invalid_variable_is_named_with_its_range(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(StackError) as error:
        StackSettings.from_env(environ, tmp_path)

    assert str(error.value) == message
