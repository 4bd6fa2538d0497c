"""The databases of moves, started once."""

from collections.abc import Iterator

import pytest

from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.signer import Signer
from tests.fast_servers import fast_folder
from tests.given import REGION, AwsAccount
from tests.moves.servers import Deployment, running_deployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    with running_deployment(fast_folder()) as started:
        yield started


@pytest.fixture
def signer(aws: AwsAccount) -> Iterator[Signer]:
    client = AwsClient("kms", REGION, aws.endpoint_url)
    yield Signer(client, aws.signing_key_id)
    client.close()
