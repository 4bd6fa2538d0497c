"""Functions connect to Redis when they start, so that no request waits for a new connection."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis as Client

from tenancy.stores.aws.secrets import REDIS
from tests.given import Databases, Servers
from tests.handlers.functions import PutSecret, Start, asks_for_admission
from tests.template.template import FOLDERS

ADMITTING = [function for function in FOLDERS if asks_for_admission(function)]


@contextmanager
def connections(servers: Servers) -> Iterator[Client]:
    """Yield a client that lists the server's connections."""
    with Client.from_url(servers.valkey_url, decode_responses=True, client_name="observer") as client:
        yield client


def others(client: Client) -> set[str]:
    """Return the ids of all connections but the observer's."""
    return {each["id"] for each in client.client_list() if each["name"] != "observer"}


def test_functions_with_an_admission_are_found() -> None:
    assert {"ingest", "usage", "provision"} <= set(ADMITTING)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("function", ADMITTING)
def test_function_connects_before_its_first_request(function: str, start: Start, databases: Databases) -> None:
    with connections(databases.servers) as observer:
        before = others(observer)

        start(function)

        assert len(others(observer) - before) == 1


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("function", ADMITTING)
def test_function_starts_without_redis(function: str, start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(REDIS, f"redis://{nowhere}/0")

    assert start(function).app.handler


@pytest.mark.parametrize("function", ADMITTING)
def test_function_starts_without_secrets_manager(function: str, start: Start, nowhere: str) -> None:
    assert start(function, AWS_ENDPOINT_URL=f"http://{nowhere}").app.handler
