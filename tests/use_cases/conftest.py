"""Fixtures of the use cases: signer, superuser connection, admission gate and deletion."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tenancy.stores.aws import gateway_keys
from tenancy.stores.aws.boto import BOTO_CONFIG
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.signer import Signer
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import CHEAP_HASHER, DEAD_LETTERS_BUCKET, EXPORTS_BUCKET, PLANS_PATH, REGION, AwsAccount, Databases
from tests.handlers.conftest import mails
from tests.use_cases.admitting import NOW, Admit
from tests.use_cases.erasing import Platform, domain_stores
from tests.use_cases.session_requests import People

__all__ = ["mails"]  # a fixture of the handlers that tests here use as well

TIMEOUT_SECONDS = 120
TIMEOUTS = (
    "aws.connection.AWS_CALL_TIMEOUT_SECONDS",
    "postgres.connecting.POSTGRES_CONNECT_TIMEOUT_SECONDS",
    "clickhouse.client.CLICKHOUSE_CONNECT_TIMEOUT_SECONDS",
)
BOTO_CLIENTS = (gateway_keys._api_gateway, gateway_keys._parameters)


@pytest.fixture(autouse=True)
def long_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time-outs of the stores.

    A slow machine must not look like an unreachable server.
    """
    for name in TIMEOUTS:
        monkeypatch.setattr(f"tenancy.stores.{name}", TIMEOUT_SECONDS)


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash cheaply, for tests of many log-ins or requests whose subject is no hash."""
    monkeypatch.setattr("tenancy.rules.people.password_hashes.HASHER", CHEAP_HASHER)
    monkeypatch.setattr(
        "tenancy.rules.people.password_hashes.DUMMY_HASH", CHEAP_HASHER.hash("the password of no member")
    )
    for module in ("provision", "provision_once"):
        monkeypatch.setattr(f"tenancy.use_cases.organizations.{module}.HASHER", CHEAP_HASHER)


@pytest.fixture
def long_boto_timeouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use boto clients with long time-outs, for tests whose threads all call AWS at once."""
    config = replace(BOTO_CONFIG, connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS)
    monkeypatch.setattr(gateway_keys, "BOTO_CONFIG", config)
    for client in BOTO_CLIENTS:
        client.cache_clear()
    yield
    for client in BOTO_CLIENTS:
        client.cache_clear()


@pytest.fixture
def signer(aws: AwsAccount) -> Iterator[Signer]:
    client = AwsClient("kms", REGION, aws.endpoint_url)
    yield Signer(client, aws.signing_key_id)
    client.close()


@pytest.fixture
def tamper(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """Connect as the superuser of the database, whose changes only the audit chain reveals."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        yield conn


@pytest.fixture
def admit(counters: Redis, databases: Databases) -> Admit:
    admissions = AdmissionGate(counters, lambda: databases.functions)
    return lambda caller, **options: admissions.admit(caller, **{"now": NOW, **options})


@pytest.fixture
def people(databases: Databases, counters: Redis, targets: OutboxTargets) -> People:
    return People(databases=databases, redis=counters, targets=targets)


@pytest.fixture
def platform(
    databases: Databases, counters: Redis, targets: OutboxTargets, signer: Signer, register: Register
) -> Platform:
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    erasure_stores = ErasureStores(
        platform_db=databases.platform,
        client=lambda: databases.clickhouse,
        redis=counters,
        gateway_keys=gateway_keys,
        exports=Exports(REGION, EXPORTS_BUCKET, path_style=True),
        dead_letters=DeadLetterObjects(REGION, DEAD_LETTERS_BUCKET, path_style=True),
        domains=domain_stores(databases),
        register=register,
    )
    return Platform(databases=databases, redis=counters, targets=targets, erasure_stores=erasure_stores, signer=signer)
