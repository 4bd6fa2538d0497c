"""The view of the state after a crash."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.crash.aftermath import Aftermath
from tests.given import AwsAccount, Databases


@pytest.fixture
def aftermath(databases: Databases, aws: AwsAccount) -> Iterator[Aftermath]:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as superuser:
        yield Aftermath(superuser=superuser, aws=aws)
