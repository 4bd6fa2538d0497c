"""The operator's replay, with the variables of a deployed stack and with other secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from scripts.restore.__main__ import explain
from scripts.restore.replaying import VARIABLES, replay_register, wire
from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG, AuditRecord
from tenancy.rules.register import ended_keys, erased_organization
from tenancy.settings import Settings
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.secrets import DATABASE, PLATFORM_DATABASE, REDIS
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.restore.replay import ReplayStores
from tenancy.use_cases.restore.restorer import RESTORER
from tenancy.wiring import Wiring
from tests.database_pool import DatabasePool
from tests.given import REGION, REGISTER_BUCKET, STACK_NAME, AwsAccount, Databases
from tests.handlers.conftest import buckets_of
from tests.handlers.functions import BASE_DOMAIN, PREFIX, PutSecret, close_resources, superuser
from tests.use_cases.erasing import column_of
from tests.use_cases.storing import count, store

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def settings(
    aws: AwsAccount,
    databases: Databases,
    put_secret: PutSecret,
    secrets: None,  # noqa: ARG001 - the URLs of the databases
) -> Settings:
    put_secret(REDIS, databases.servers.valkey_url)
    values = {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "SECRETS_PREFIX": PREFIX,
        "STACK_NAME": STACK_NAME,
        "BASE_DOMAIN": BASE_DOMAIN,
        "ERASURE_QUIET_SECONDS": "0",
        "RECOUNT_AFTER_SECONDS": "60",
        "SIGNING_KEY_ID": aws.signing_key_id,
        **buckets_of(aws),
    }
    return Settings.from_env(*VARIABLES, environ=values)


@pytest.fixture
def wired(settings: Settings) -> Iterator[tuple[Wiring, ReplayStores]]:
    with wiring_of(settings) as wired:
        yield wired


@pytest.fixture
def second(
    settings: Settings,  # noqa: ARG001 - its secrets
    put_secret: PutSecret,
    databases: Databases,
    database_pool: DatabasePool,
) -> Iterator[Databases]:
    """Add a second database to the secrets."""
    taken = database_pool.take()
    for secret, role in ((DATABASE, postgres.FUNCTIONS), (PLATFORM_DATABASE, postgres.PLATFORM)):
        urls = [each.servers.postgres_url(role, each.name) for each in (databases, taken)]
        put_secret(secret, f"main {urls[0]}\nsecond {urls[1]}")
    yield taken
    database_pool.give_back(taken)


@contextmanager
def wiring_of(settings: Settings) -> Iterator[tuple[Wiring, ReplayStores]]:
    """Wire the stores of a replay, and close their connections afterwards."""
    wiring, stores = wire(settings)
    yield wiring, stores
    for each in (wiring, stores, stores.erasure.client()):
        close_resources(each)


def test_replay_erases_and_verifies(
    wired: tuple[Wiring, ReplayStores],
    databases: Databases,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
) -> None:
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(10), at=HOUR_AGO)
    register.put(erased_organization(acme.organization.id, closed_at=HOUR_AGO))
    register.put(ended_keys(globex.organization.id, [globex.write_key_id], ends_at=HOUR_AGO))
    said: list[str] = []

    wrong = replay_register(*wired, said.append)

    assert wrong == []
    assert said[0] == "register: 1 organizations, 0 subjects, 1 keys"
    assert said[-2:] == [
        "all audit logs verify",
        "replayed: 1 organizations and 0 data subjects are erased, 1 keys have ended",
    ]
    assert column_of(databases, acme.organization.id)["status"] == "erased"
    assert [count(databases, each.organization.id) for each in (acme, globex)] == [0, 10]


def test_damaged_audit_log_is_named(
    wired: tuple[Wiring, ReplayStores], databases: Databases, globex: Provisioned
) -> None:
    replay_register(*wired, lambda _: None)
    with superuser(databases) as conn:
        conn.execute("UPDATE audit_log SET target = 'x' WHERE organization_id = %s", (globex.organization.id,))

    [wrong] = replay_register(*wired, lambda _: None)

    assert str(globex.organization.id) in wrong


def test_logs_of_each_database_are_verified(settings: Settings, second: Databases, globex: Provisioned) -> None:
    with second.platform.tenant_transaction(PLATFORM_LOG) as conn:
        insert_audit_record(conn, PLATFORM_LOG, AuditRecord.done("x", "y", RESTORER, now=HOUR_AGO))
    said: list[str] = []
    with wiring_of(settings) as wired:
        before = replay_register(*wired, said.append)
        with superuser(second) as conn:
            conn.execute("UPDATE audit_log SET target = 'x'")

        [wrong] = replay_register(*wired, lambda _: None)

    assert before == []
    assert "1 organizations: all sessions and access tokens end" in said
    assert str(globex.organization.id) not in wrong
    assert wrong.startswith(f'the audit log of {PLATFORM_LOG} in the database "second" is broken at 1: ')


def test_lost_organization_is_wrong(settings: Settings, databases: Databases, second: Databases) -> None:
    lost = uuid4()
    with superuser(databases) as conn:
        conn.execute("INSERT INTO moved_organizations VALUES (%s, 'moved', 'second', %s)", (lost, uuid4()))

    with wiring_of(settings) as wired:
        wrong = replay_register(*wired, lambda _: None)

    assert wrong == [f'{lost}: in no database, and "second" should have it']
    assert second.name != databases.name


def test_object_that_is_no_entry_stops_no_replay(
    wired: tuple[Wiring, ReplayStores], databases: Databases, register: Register, acme: Provisioned
) -> None:
    s3: Any = boto3.client("s3", region_name=REGION)
    s3.put_object(Bucket=REGISTER_BUCKET, Key="organizations/", Body=b"")
    register.put(erased_organization(acme.organization.id, closed_at=HOUR_AGO))

    wrong = replay_register(*wired, lambda _: None)

    assert wrong == ["'organizations/' is no entry of the register"]
    assert column_of(databases, acme.organization.id)["status"] == "erased"


def test_register_is_read_again_at_the_end(
    wired: tuple[Wiring, ReplayStores], databases: Databases, register: Register, globex: Provisioned
) -> None:
    """The lost PostgreSQL still answers, and its API revokes a key during the replay."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.endswith("keys end again"):
            register.put(ended_keys(globex.organization.id, [globex.write_key_id], ends_at=HOUR_AGO))

    wrong = replay_register(*wired, say)

    with superuser(databases) as conn:
        [(revoked_at,)] = conn.execute("SELECT revoked_at FROM api_keys WHERE id = %s", (globex.write_key_id,))
    assert (wrong, revoked_at is None) == ([], False)
    assert [line for line in said if "meanwhile" in line] == [
        "the register has changed meanwhile",
        "the register has not changed meanwhile",
    ]
    assert said[-1] == "replayed: 0 organizations and 0 data subjects are erased, 1 keys have ended"


def test_register_that_still_changes_is_wrong(wired: tuple[Wiring, ReplayStores], register: Register) -> None:
    def say(line: str) -> None:
        if line.endswith("keys end again"):
            register.put(ended_keys(uuid4(), [uuid4()], ends_at=HOUR_AGO))

    assert replay_register(*wired, say) == ["the register still changes: close the API, and replay again"]


def test_error_is_printed_with_its_causes() -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "No s3:GetObject"}}, "GetObject")
    postponed = UnavailableError("A store is unreachable.")
    postponed.__cause__ = UnavailableError("S3 did not read.")
    postponed.__cause__.__cause__ = denied

    text = explain(postponed)

    texts = [part.split(".")[0] for part in text.split(" Cause: ")]
    assert texts[:2] == ["A store is unreachable", "S3 did not read"]
    assert "AccessDenied" in texts[2]
