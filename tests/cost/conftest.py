"""Fixtures of the cost tests: the routes of the template before the real functions, in this process."""

from collections.abc import Iterator

import pytest
import redis

from tests.cost.costs import CostMeter, MeteredFunction
from tests.given import Databases
from tests.handlers.functions import Start, superuser
from tests.isolation.proof.attack.gateway import LocalGateway
from tests.isolation.proof.attack.state import DeploymentState
from tests.isolation.proof.conftest import (
    authority,
    data,
    invocations_url,
    mails,
    names,
    operator_key,
    put_secret,
    reachable_provider,
    resources,
    running_names,
    secrets,
    sqs,
    start,
)
from tests.isolation.proof.proof_data import ProofData

__all__ = [
    "authority",
    "data",
    "invocations_url",
    "mails",
    "names",
    "operator_key",
    "put_secret",
    "reachable_provider",
    "resources",
    "running_names",
    "secrets",
    "sqs",
    "start",
]


@pytest.fixture
def meter(
    start: Start,
    secrets: None,  # noqa: ARG001
    resources: dict[str, str],
    databases: Databases,
    data: ProofData,
) -> Iterator[CostMeter]:
    spent: list[float] = []
    with superuser(databases) as conn, redis.Redis.from_url(databases.servers.valkey_url) as client:
        state = DeploymentState(conn, client)
        gateway = LocalGateway(lambda name, **values: MeteredFunction(start(name, **values), spent), resources, state)
        yield CostMeter(gateway, data, spent)
