import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.stack.errors import StackError
from scripts.stack.ports import choose_ports
from scripts.stack.settings import LOOPBACK, StackSettings


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(root=tmp_path, directory=tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_ports_stay_the_same(settings: StackSettings) -> None:
    assert choose_ports(settings, in_use=()) == choose_ports(settings, in_use=())


def test_a_remembered_port_that_another_program_took_is_replaced(settings: StackSettings, taken: int) -> None:
    (settings.directory / "ports.json").write_text(f'{{"valkey": {taken}}}', encoding="utf-8")
    assert choose_ports(settings, in_use=())["valkey"] != taken


def test_a_port_that_the_running_part_itself_listens_on_is_kept(settings: StackSettings, taken: int) -> None:
    (settings.directory / "ports.json").write_text(f'{{"valkey": {taken}}}', encoding="utf-8")
    assert choose_ports(settings, in_use=["valkey"])["valkey"] == taken


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(settings: StackSettings, taken: int) -> None:
    with pytest.raises(StackError, match=f"VALKEY_PORT={taken}"):
        choose_ports(replace(settings, ports={"valkey": taken}), in_use=())


def test_the_environment_decides_over_what_is_remembered(tmp_path: Path) -> None:
    environ = {
        "STACK_DIR": "elsewhere",
        "API_PORT": "18080",
        "DELETION_GRACE": "5",
        "STACK_HOSTS": "127.0.0.1,172.17.0.1",
    }
    settings = StackSettings.from_env(environ, tmp_path)
    assert settings.directory == tmp_path / "elsewhere"
    assert settings.ports == {"api": 18080}
    assert settings.deletion_grace_seconds == 5
    assert settings.hosts == ("127.0.0.1", "172.17.0.1")
    assert settings.local_host == "127.0.0.1"
    assert settings.single_host == "0.0.0.0"
