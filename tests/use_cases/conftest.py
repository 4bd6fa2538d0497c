"""What audit logs are verified with, and tampered with."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenancy.stores.aws import Aws
from tenancy.stores.signer import Signer
from tests.given import REGION, AwsAccount, Databases


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
