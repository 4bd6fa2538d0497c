"""The caller's environment: settings of the stack count, everything else changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.stack import aws, clickhouse, postgres, valkey
from scripts.stack.credentials import Credentials
from scripts.stack.environment import drop_foreign_settings
from scripts.stack.settings import StackSettings

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"postgres": 1, "valkey": 2, "clickhouse": 3, "aws": 4, "api": 5}


def fingerprints(directory: Path) -> list[str]:
    settings = StackSettings.from_env(os.environ, directory)
    settings.directory.mkdir(exist_ok=True)
    credentials = Credentials.load(settings.directory)
    launches = [
        postgres.prepare(settings, port=PORTS["postgres"], credentials=credentials),
        valkey.prepare(settings, port=PORTS["valkey"], password=credentials.valkey),
        clickhouse.prepare(settings, port=PORTS["clickhouse"]),
        aws.prepare(settings, PORTS),
    ]
    return [launch.fingerprint for launch in launches]


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.stack", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_another_path_home_or_locale_restarts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints(tmp_path)
    for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "AWS_PROFILE", "DATABASE_URL"):
        monkeypatch.setenv(name, "/nowhere")

    after = fingerprints(tmp_path)

    assert after == before


def test_another_address_restarts_the_parts_that_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints(tmp_path)
    monkeypatch.setenv("STACK_HOSTS", "127.0.0.1,172.17.0.1")

    after = fingerprints(tmp_path)

    assert not set(before) & set(after)


def test_settings_of_aws_and_postgresql_clients_are_dropped() -> None:
    environ = {"AWS_PROFILE": "production", "SAM_CLI_TELEMETRY": "1", "PGSSLMODE": "verify-full", "PATH": "/bin"}

    drop_foreign_settings(environ, ["127.0.0.1"])

    assert {name: environ[name] for name in environ if name.lower() != "no_proxy"} == {"PATH": "/bin"}


def test_proxies_are_not_used_for_the_stack() -> None:
    environ = {"https_proxy": "http://proxy:3128", "no_proxy": "intranet.example"}

    drop_foreign_settings(environ, ["127.0.0.1"])

    assert environ["no_proxy"] == environ["NO_PROXY"] == "intranet.example,127.0.0.1"
    assert environ["https_proxy"] == "http://proxy:3128"


@pytest.mark.parametrize("directory", [str(Path(__file__)), str(Path(__file__) / "below")])
def test_unwritable_folder_is_one_line_with_the_remedy(directory: str) -> None:
    done = command("up", STACK_DIR=directory)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.endswith("writable for this user, or set STACK_DIR to another folder.\n")
    assert done.stderr.count("\n") == 1


def test_invalid_port_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    done = command("up", STACK_DIR=str(tmp_path), API_PORT="abc")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "API_PORT=abc is not valid: set it to a number from 1 to 65535.\n"
    assert list(tmp_path.iterdir()) == []
