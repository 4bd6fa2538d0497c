"""AWS on one machine: MiniStack behind the bridge, and its Secrets Manager."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from scripts.stack.loopback import answers
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

NAME = "aws"
REGION = "eu-central-1"
STACK = "tenancy-local"
READY_SECONDS = 180.0
CONNECT_SECONDS = 10.0
LAYERS_KEPT = 6  # unpacked ones; a change leaves its predecessor behind
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def prepare(settings: StackSettings, ports: Mapping[str, int]) -> Launch:
    """Return how to start MiniStack.

    It restarts when a database moves, because Lambda workers keep the address.
    """
    home = settings.directory / NAME
    url = endpoint(settings.local_host, ports)
    return Launch(
        name=NAME,
        command=[sys.executable, "-m", "scripts.stack.bridge"],
        environment=_environment(settings, home, ports),
        working_directory=settings.root,
        is_ready=lambda: answers(f"{url}/_ministack/health", seconds=CONNECT_SECONDS),
        ready_seconds=READY_SECONDS,
        before_start=lambda: _make_ready(home, url),
        depends_on=f"{sorted(ports.items())} {_digest_of_bridge(settings.root)}",
    )


def endpoint(host: str, ports: Mapping[str, int]) -> str:
    """Return the URL that replaces AWS's."""
    return f"http://{host}:{ports['aws']}"


def client(service: str, url: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return a boto3 client of MiniStack at *url*."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=CONNECT_SECONDS),
    )


def put_secrets(url: str, secrets: Mapping[str, str]) -> None:
    """Create or change these secrets."""
    manager = client("secretsmanager", url)
    for name, value in secrets.items():
        try:
            manager.put_secret_value(SecretId=name, SecretString=value)
        except manager.exceptions.ResourceNotFoundException:
            manager.create_secret(Name=name, SecretString=value)


def find_secret(url: str, name: str) -> str | None:
    """Return the value of a secret, or None if it has none."""
    manager = client("secretsmanager", url)
    try:
        return str(manager.get_secret_value(SecretId=name)["SecretString"])
    except (manager.exceptions.ResourceNotFoundException, KeyError):
        return None


def copy_secrets(url: str, source: str, target: str) -> None:
    """Create each secret with the prefix *source* also with the prefix *target*, unless it has a value there."""
    for name in list_secrets(url, source):
        value = find_secret(url, f"{source}/{name}")
        if value is not None and find_secret(url, f"{target}/{name}") is None:
            put_secrets(url, {f"{target}/{name}": value})


def list_secrets(url: str, prefix: str) -> list[str]:
    """Return the names of the secrets with *prefix*, without it."""
    pages = client("secretsmanager", url).get_paginator("list_secrets").paginate()
    names = [each["Name"] for page in pages for each in page["SecretList"]]
    return sorted(name.removeprefix(f"{prefix}/") for name in names if name.startswith(f"{prefix}/"))


def verify_sender(url: str, address: str) -> None:
    """Let functions send mail from *address*, as an operator does by proving the domain."""
    mail = client("sesv2", url)
    with suppress(mail.exceptions.AlreadyExistsException):
        mail.create_email_identity(EmailIdentity=address)


def _environment(settings: StackSettings, home: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the whole environment of MiniStack, without anything of the caller's.

    Its folders are relative to the checkout, its working directory: if the checkout is moved, its state goes along.
    """
    folder = home.relative_to(settings.root) if settings.root in home.parents else home
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "GATEWAY_PORT": str(ports["aws"]),
        "API_PORT": str(ports["api"]),
        "STACK_HOSTS": ",".join(settings.hosts),
        "STACK_NAME": STACK,
        "MINISTACK_HOST": settings.local_host,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "IOT_MTLS_ENABLED": "0",  # would listen on a port of its own
        "SFTP_ENABLED": "0",
    }


def _make_ready(home: Path, url: str) -> None:
    """Delete the files of killed workers, and change the address in the saved state to *url*."""
    layers = sorted((home / "tmp").glob("layer-*"), key=lambda layer: layer.stat().st_mtime)[-LAYERS_KEPT:]
    for left in set((home / "tmp").glob("*")) - set(layers):
        shutil.rmtree(left, ignore_errors=True)
    for folder in (home / "tmp", home / "state"):
        folder.mkdir(parents=True, exist_ok=True)
    known = home / "url"
    if known.exists() and (before := known.read_text(encoding="utf-8")) != url:
        for file in (home / "state").glob("*.json"):
            file.write_text(file.read_text(encoding="utf-8").replace(before, url), encoding="utf-8")
    known.write_text(url, encoding="utf-8")


def _digest_of_bridge(root: Path) -> str:
    sources = sorted((root / "scripts" / "stack" / "bridge").glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
