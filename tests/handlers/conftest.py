"""Functions with the template's variables, and the secrets of a test's own databases."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from moto.ses.models import ses_backends
from redis import Redis as Client

from scripts.stack import postgres
from tenancy import wiring
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.aws.secrets import (
    AUTHORIZER_DATABASE,
    CLICKHOUSE,
    CLICKHOUSE_READER,
    DATABASE,
    JWKS,
    OWNER_DATABASE,
    PLATFORM_DATABASE,
    REDIS,
)
from tenancy.stores.internet import https
from tenancy.stores.postgres.platform.platform_keys import insert_platform_key
from tenancy.stores.redis.client import Redis
from tests import aws_account
from tests.given import PATIENCE_SECONDS, PLANS_PATH, REGION, SENDER, STACK_NAME, AwsAccount, Databases, Servers, know
from tests.handlers import sent_events
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import (
    API_HOST,
    BASE_DOMAIN,
    ISSUER,
    OPERATORS_GATEWAY_KEY,
    PREFIX,
    Function,
    LogLines,
    Mails,
    PutSecret,
    Start,
    insert_operator,
    running,
    template_variables,
)
from tests.handlers.invocations import serving_invocations
from tests.handlers.logged_in import put_token_keys
from tests.handlers.redis_keys import persist_keys
from tests.handlers.requests import OPERATOR
from tests.handlers.single_sign_on.provider import Provider, SigningKey, serving_provider
from tests.name_server import NameServer, running_name_server
from tests.stores.private_authority import Authority, make_authority

ACCOUNT = "123456789012"  # moto's
PROVIDER_HOST = "idp.localhost"


@pytest.fixture(scope="session")
def running_names() -> Iterator[NameServer]:
    with running_name_server() as names:
        yield names


@pytest.fixture
def names(running_names: NameServer) -> NameServer:
    """The DNS server that `fetch` asks. It knows no name."""
    running_names.forget()
    return running_names


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """The authority of all providers. `fetch` trusts it, as it trusts those of the system."""
    made = make_authority(tmp_path_factory.mktemp("authority") / "idp", PROVIDER_HOST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(made.root_file))
        https._tls.cache_clear()
        yield made
    https._tls.cache_clear()


@pytest.fixture(scope="session")
def reachable_provider(authority: Authority) -> Iterator[Provider]:
    """An OpenID Connect provider for all tests. No test changes it."""
    with serving_provider(authority, PROVIDER_HOST, SigningKey.ec("key-0")) as provider:
        yield provider


@pytest.fixture
def invocations_url(aws: AwsAccount, names: NameServer, reachable_provider: Provider) -> Iterator[str]:
    """Moto's endpoint, at which other functions can also invoke `fetch`."""
    allowed = reachable_provider.issuer.removeprefix("https://")
    values = {
        "SECRETS_PREFIX": PREFIX,
        "STACK_NAME": STACK_NAME,
        "DNS_RESOLVER": names.address,
        "PRIVATE_HOSTS_ALLOWED": allowed,
    }
    with running("fetch", values) as fetch, serving_invocations(aws.endpoint_url, fetch) as url:
        yield url


@pytest.fixture
def start(
    aws: AwsAccount,
    counters: Redis,
    servers: Servers,
    put_secret: PutSecret,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Start]:
    """Start a function. Keywords replace values of its variables.

    Redis knows the tenants of `sent_events`, which are in no database. Functions wait long for Redis, because a test
    must not depend on pauses of the machine.
    """
    monkeypatch.setattr(wiring, "PUBLICATION_REDIS_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    put_secret(REDIS, servers.valkey_url)
    for tenant in (sent_events.ACME, sent_events.GLOBEX):
        used, held_before = quotas.events_per_month - events, quotas.grace_events_per_month - held
        know(counters, sent_events.ACME, events=used, held=held_before)
        persist_keys(servers)

    return remain
