"""What audit logs are verified with, and tampered with; who decides on requests, and who deletes."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.signer import Signer
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import EXPORTS_BUCKET, PLANS_PATH, REGION, AwsAccount, Databases
from tests.handlers.conftest import mails
from tests.use_cases.admitting import NOW, Admit
from tests.use_cases.erasing import Platform

__all__ = ["mails"]  # a fixture that is shared with the handlers'


@pytest.fixture
def signer(aws: AwsAccount) -> Iterator[Signer]:
    client = AwsClient("kms", REGION, aws.endpoint_url)
    yield Signer(client, aws.signing_key_id)
    client.close()


@pytest.fixture
def tamper(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """Whoever has the database's own superuser: what no wall keeps out, and only the chain shows."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        yield conn


@pytest.fixture
def admit(counters: Redis, databases: Databases) -> Admit:
    admissions = AdmissionGate(counters, lambda: databases.functions)
    return lambda caller, **options: admissions.admit(caller, **{"now": NOW, **options})


@pytest.fixture
def platform(databases: Databases, counters: Redis, targets: OutboxTargets, signer: Signer) -> Platform:
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    erasure_stores = ErasureStores(
        platform_db=databases.platform,
        client=lambda: databases.clickhouse,
        redis=counters,
        gateway_keys=gateway_keys,
        exports=Exports(REGION, EXPORTS_BUCKET, path_style=True),
    )
    return Platform(databases=databases, redis=counters, targets=targets, erasure_stores=erasure_stores, signer=signer)
