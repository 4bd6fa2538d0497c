"""What audit logs are verified with, and tampered with; and who decides on requests."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenancy.stores.aws import Aws
from tenancy.stores.redis import Redis
from tenancy.stores.signer import Signer
from tenancy.use_cases.admit import Admissions
from tests.given import REGION, AwsAccount, Databases
from tests.use_cases.admitting import NOW, Admit


@pytest.fixture
def signer(aws: AwsAccount) -> Iterator[Signer]:
    client = Aws("kms", REGION, aws.endpoint_url)
    yield Signer(client, aws.signing_key_id)
    client.close()


@pytest.fixture
def tamper(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """Whoever has the database's own superuser: what no wall keeps out, and only the chain shows."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        yield conn


@pytest.fixture
def admit(counters: Redis, databases: Databases) -> Admit:
    admissions = Admissions(counters, lambda: databases.functions)
    return lambda caller, **options: admissions.admit(caller, **{"now": NOW, **options})
