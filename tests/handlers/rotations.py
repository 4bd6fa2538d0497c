"""Secrets Manager as a rotation function sees it: the steps, and the versions of a secret in moto."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from moto.secretsmanager.models import secretsmanager_backends
from psycopg import sql

from tests.aws_account import ACCOUNT
from tests.given import REGION, Databases
from tests.handlers.functions import PREFIX, Function, superuser

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
STAGES = {"AWSCURRENT", "AWSPENDING"}


def versions_of(name: str) -> dict[str, Any]:
    versions: dict[str, Any] = secretsmanager_backends[ACCOUNT][REGION].secrets[f"{PREFIX}/{name}"].versions
    return versions


def begin(name: str) -> str:
    """Begin a rotation of the secret *name*: make a pending version without a text. Return its id."""
    token = str(uuid4())
    for version in versions_of(name).values():
        version["version_stages"] = [stage for stage in version["version_stages"] if stage != "AWSPENDING"]
    versions_of(name)[token] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
    return token


def text_of(name: str, stage: str) -> str:
    """Return the text of the version with *stage*."""
    [text] = [each["secret_string"] for each in versions_of(name).values() if stage in each["version_stages"]]
    return str(text)


def step_of(name: str, token: str, step: str) -> dict[str, str]:
    arn = secretsmanager_backends[ACCOUNT][REGION].secrets[f"{PREFIX}/{name}"].arn
    return {"SecretId": arn, "ClientRequestToken": token, "Step": step}


def rotate(function: Function, name: str) -> None:
    """Call *function* for all steps of a rotation."""
    token = begin(name)
    for step in STEPS:
        function.respond(step_of(name, token, step))


def user_at(url: str) -> str:
    """Log in with *url*, and return the session's user."""
    with psycopg.connect(url) as conn:
        [user] = conn.execute("SELECT session_user").fetchone() or ("",)
        return str(user)


@contextmanager
def without_clones(databases: Databases) -> Iterator[None]:
    """Drop the second users at the end, and give the first ones their passwords back. All databases have them."""
    credentials = databases.servers.credentials
    passwords = {
        "tenancy_functions": credentials.functions,
        "tenancy_platform": credentials.platform,
        "tenancy_authorizer": credentials.authorizer,
    }
    try:
        yield
    finally:
        with superuser(databases) as conn:
            for role, password in passwords.items():
                conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{role}_clone")))
                change = sql.SQL("ALTER ROLE {} PASSWORD {}")
                conn.execute(change.format(sql.Identifier(role), sql.Literal(password)))


def log_in_of(name: str) -> tuple[str, str]:
    """Return the user and the password that RDS Proxy knows by the secret *name*."""
    document = json.loads(text_of(name, "AWSCURRENT"))
    return document["username"], document["password"]
