"""The databases of the local stack, their backups, and a second stack with the restored databases."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from scripts.demo.client import ROOT, Stack
from scripts.restore.backups import backup_clickhouse, dump_postgres, restore_clickhouse, restore_postgres
from scripts.stack import aws, clickhouse, postgres, stack
from scripts.stack.addresses import Addresses
from scripts.stack.credentials import Credentials
from scripts.stack.loopback import request
from scripts.stack.ports import choose_ports
from scripts.stack.settings import StackSettings
from tenancy.stores.clickhouse.client import connect

DATABASE: Final = "default"  # of ClickHouse
DUMP: Final = "postgres.dump"
LAST_WRITE: Final = {
    "PostgreSQL": "SELECT max(created_at) FROM usage_ledger",
    "ClickHouse": "SELECT toUnixTimestamp64Milli(max(received_at)) FROM events",
}
RESTORED_SECRETS: Final = "tenancy/restored"
SAVE_SECONDS: Final = 180

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A stack in *directory*, whose stores run."""

    directory: Path

    @property
    def settings(self) -> StackSettings:
        """The settings of the stack, whose deletions have no grace period to wait for."""
        return StackSettings(root=ROOT, directory=self.directory, deletion_grace_seconds=1)

    @property
    def described(self) -> dict[str, Any]:
        """The content of ``stack.json``."""
        document: dict[str, Any] = json.loads((self.directory / "stack.json").read_text(encoding="utf-8"))
        return document

    @property
    def ports(self) -> dict[str, int]:
        """The remembered ports."""
        ports: dict[str, int] = json.loads((self.directory / "ports.json").read_text(encoding="utf-8"))
        return ports

    def superuser(self) -> str:
        """Return the URL of the database for the superuser, who sees all rows."""
        credentials = Credentials.load(self.directory)
        url = postgres.superuser_url(self.settings, port=self.ports[postgres.NAME], credentials=credentials)
        return urlsplit(url)._replace(path=f"/{postgres.DATABASE}").geturl()

    def clickhouse_url(self) -> str:
        """Return the URL of ClickHouse."""
        return clickhouse.url_for(self.settings.local_host, port=self.ports[clickhouse.NAME])

    def last_writes(self) -> dict[str, float]:
        """Return the Unix time of the last write in each database."""
        with psycopg.connect(self.superuser()) as conn:
            [(written,)] = conn.execute(LAST_WRITE["PostgreSQL"]).fetchall()
        with closing(connect(self.clickhouse_url())) as client:
            [[milliseconds]] = client.query(LAST_WRITE["ClickHouse"]).result_rows
        return {"PostgreSQL": written.timestamp(), "ClickHouse": milliseconds / 1000}


def back_up(source: LocalStack, folder: Path, name: str) -> None:
    """Back up both databases of *source* as they are, into *folder*."""
    folder.mkdir(parents=True)
    dump_postgres(source.superuser(), folder / DUMP)
    with closing(connect(source.clickhouse_url())) as client:
        backup_clickhouse(client, DATABASE, name)
    shutil.copytree(source.directory / clickhouse.BACKUPS / name, folder / name)


def restore(source: LocalStack, target: LocalStack, folder: Path, name: str, say: Say) -> dict[str, float]:
    """Start the stores of *target*, without its API, and restore the backups. Return the seconds of each store."""
    target.directory.mkdir(parents=True)
    shutil.copy(source.directory / "credentials.json", target.directory)
    shutil.copytree(folder / name, target.directory / clickhouse.BACKUPS / name)
    credentials = Credentials.load(target.directory)
    ports = choose_ports(target.settings, in_use=frozenset())
    stack.start_stores(target.settings, ports, credentials, say)
    seconds = {}
    started = time.monotonic()
    restore_postgres(target.superuser(), folder / DUMP)
    seconds["PostgreSQL"] = time.monotonic() - started
    started = time.monotonic()
    with closing(connect(target.clickhouse_url())) as client:
        restore_clickhouse(client, DATABASE, DATABASE, name)
    seconds["ClickHouse"] = time.monotonic() - started
    return seconds


def replay(source: LocalStack, target: LocalStack) -> None:
    """Replay the register in the S3 of *source* on the databases of *target*.

    Raises:
        subprocess.CalledProcessError: the replay failed.
    """
    credentials = Credentials.load(target.directory)
    addresses = Addresses.at(target.settings.local_host, target.ports, credentials)
    url = source.described["aws_endpoint_url"]
    aws.put_secrets(url, addresses.secrets(RESTORED_SECRETS, credentials))
    command = ["replay", "--stack", aws.STACK, "--secrets-prefix", RESTORED_SECRETS]
    environment = os.environ | {
        **aws.CREDENTIALS,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": aws.REGION,
        "AWS_DEFAULT_REGION": aws.REGION,
    }
    subprocess.run([sys.executable, "-m", "scripts.restore", *command], cwd=ROOT, env=environment, check=True)


def serve(source: LocalStack, target: LocalStack, say: Say) -> Stack:
    """Start the API of *target* with the AWS services of *source*, which were not lost: S3, KMS and the others."""
    request(f"{source.described['aws_endpoint_url']}/_stack/save", method="POST", seconds=SAVE_SECONDS)
    for name in ("state", "s3"):
        shutil.copytree(source.directory / aws.NAME / name, target.directory / aws.NAME / name, dirs_exist_ok=True)
    shutil.copy(source.directory / aws.NAME / "url", target.directory / aws.NAME)
    shutil.copytree(source.directory / "build", target.directory / "build", symlinks=True)
    shutil.copy(source.directory / "stack.json", target.directory)  # it has the platform key
    stack.up(target.settings, say)
    return Stack.load(target.directory)


def remove(target: LocalStack, say: Say) -> None:
    """Stop *target*, and delete its data."""
    stack.down(target.settings, say)
    shutil.rmtree(target.directory, ignore_errors=True)


def table(rows: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the lines with RPO and RTO in seconds by store."""
    lines = [f"{'store':12} {'RPO':>9} {'RTO':>9}"]
    return lines + [f"{name:12} {rpo:7.1f} s {rto:7.1f} s" for name, (rpo, rto) in rows.items()]
