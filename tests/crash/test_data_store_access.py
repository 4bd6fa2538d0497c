"""A bootstrap of data stores may crash at any moment. The next run completes it."""

from collections.abc import Iterator

import psycopg
import pytest

from tenancy.rules.data_stores import DataStores
from tenancy.stores.aws.secrets import Secrets
from tenancy.use_cases.schema.data_store_access import POOLED_ROLES, prepare_data_stores
from tests.crash.crashes import crashes
from tests.given import AwsAccount
from tests.new_cluster import NewCluster, make_secrets, open_secrets, running_cluster, trusted_roots

pytestmark = pytest.mark.exhaustive

PREFIX = "tenancy/crash"
LEAST_CRASHES = 20  # statements and secrets


@pytest.fixture(scope="module")
def made_cluster() -> Iterator[NewCluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(made_cluster: NewCluster) -> Iterator[NewCluster]:
    with trusted_roots(made_cluster):
        yield made_cluster
    made_cluster.reset()


@pytest.fixture
def finished(cluster: NewCluster, aws: AwsAccount) -> list[list[tuple[object, ...]]]:
    """Return the roles after a run without a crash."""
    make_secrets(PREFIX)
    prepare_data_stores(open_secrets(aws.endpoint_url, PREFIX), cluster.stores())
    return cluster.describe()


def test_crashed_bootstrap_is_finished_by_the_next(
    cluster: NewCluster, aws: AwsAccount, finished: list[list[tuple[object, ...]]]
) -> None:
    def begin() -> tuple[Secrets, DataStores]:
        cluster.reset()
        make_secrets(PREFIX)
        return open_secrets(aws.endpoint_url, PREFIX), cluster.stores()

    crashed = 0
    for crash in crashes(begin, lambda state: prepare_data_stores(*state)):
        _, stores = crash.state

        secrets = open_secrets(aws.endpoint_url, PREFIX)
        prepare_data_stores(secrets, stores)

        assert cluster.describe() == finished, crash
        for role in POOLED_ROLES:
            psycopg.connect(secrets.get_secret(role.url_secret)).close()
        crashed += 1
    assert crashed >= LEAST_CRASHES
