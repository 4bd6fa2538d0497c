"""Round trips of a warm request: one to Redis for each, and one to PostgreSQL for a credential that is not cached."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from scripts.stack import postgres
from scripts.tcp_proxy import TcpProxy, tcp_proxy
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.tenant import RateBucket
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE, DATABASE, PLATFORM_DATABASE, REDIS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.custom_domains import activate_domain
from tests.given import Databases, tenant_of
from tests.handlers.functions import PutSecret, Start, asks_for_admission
from tests.handlers.logged_in import log_in_request, tokens_in
from tests.handlers.requests import (
    OPERATOR,
    answer_of,
    called_by,
    sample,
    segment_call,
    to_authorizer,
    with_basic_auth,
    with_body,
    with_headers,
    with_path,
)
from tests.template.template import FOLDERS

OWN_ROUTER = {"ingest"}  # it answers an unknown path without an admission
ADMITTING = [function for function in FOLDERS if asks_for_admission(function) and function not in OWN_ROUTER]
ROLES = {DATABASE: postgres.FUNCTIONS, AUTHORIZER_DATABASE: postgres.AUTHORIZER, PLATFORM_DATABASE: postgres.PLATFORM}


@pytest.fixture
def redis_proxy(start: Start, secrets: None, databases: Databases, put_secret: PutSecret) -> Iterator[TcpProxy]:  # noqa: ARG001
    port = databases.servers.valkey_port
    with tcp_proxy(port) as proxy:
        put_secret(REDIS, databases.servers.valkey_url.replace(f":{port}/", f":{proxy.port}/"))
        yield proxy


@pytest.fixture
def postgres_proxy(start: Start, secrets: None, databases: Databases, put_secret: PutSecret) -> Iterator[TcpProxy]:  # noqa: ARG001
    port = databases.servers.postgres_port
    with tcp_proxy(port) as proxy:
        for secret, role in ROLES.items():
            url = databases.servers.postgres_url(role, databases.name)
            put_secret(secret, url.replace(f":{port}/", f":{proxy.port}/"))
        yield proxy


@contextmanager
def round_trips(redis: TcpProxy, database: TcpProxy) -> Iterator[list[int]]:
    """Yield a list that has the round trips of the block to Redis and to PostgreSQL afterwards."""
    before, counted = (redis.round_trips, database.round_trips), list[int]()
    yield counted
    counted += [redis.round_trips - before[0], database.round_trips - before[1]]


@pytest.mark.parametrize("credential", ["secret key", "write key", "write key as Basic", "token", "platform key"])
def test_credential_that_is_not_cached_takes_one_of_postgresql(
    credential: str,
    start: Start,
    acme: Provisioned,
    operator_key: ApiKey,
    redis_proxy: TcpProxy,
    postgres_proxy: TcpProxy,
) -> None:
    authorizer = start("authorizer")
    token = tokens_in(start("identity")(log_in_request(acme)))["access_token"]
    event = {
        "secret key": to_authorizer(f"Bearer {acme.secret_key.text}"),
        "write key": to_authorizer(f"Bearer {acme.write_key.text}"),
        "write key as Basic": with_basic_auth(sample("authorizer", "write_key"), acme.write_key),
        "token": to_authorizer(f"Bearer {token}"),
        "platform key": to_authorizer(f"Bearer {operator_key.text}"),
    }[credential]
    assert authorizer(event)["principalId"]

    with round_trips(redis_proxy, postgres_proxy) as counted:
        authorizer(event)

    assert counted == [0, 1]


@pytest.mark.parametrize("function", ADMITTING)
def test_admission_takes_one_of_redis_and_none_of_postgresql(
    function: str, start: Start, acme: Provisioned, redis_proxy: TcpProxy, postgres_proxy: TcpProxy
) -> None:
    request = called_by(with_path(sample("audit", "list"), "/nowhere"), tenant_of(acme))
    running = start(function)
    assert answer_of(running(request)).status == 404

    with round_trips(redis_proxy, postgres_proxy) as counted:
        running(request)

    assert counted == [1, 0]


@pytest.mark.parametrize("function", ADMITTING)
def test_admission_of_a_platform_key_takes_one_of_each(
    function: str, start: Start, redis_proxy: TcpProxy, postgres_proxy: TcpProxy
) -> None:
    request = called_by(with_path(sample("audit", "list"), "/nowhere"), OPERATOR)
    running = start(function)
    assert answer_of(running(request)).status == 404

    with round_trips(redis_proxy, postgres_proxy) as counted:
        running(request)

    assert counted == [1, 1]


@pytest.mark.parametrize("case", ["events", "cloud_events", "segment_call"])
def test_events_take_one_of_redis_and_none_of_postgresql(
    case: str, start: Start, acme: Provisioned, redis_proxy: TcpProxy, postgres_proxy: TcpProxy
) -> None:
    tenant = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    request = {
        "events": called_by(sample("ingest", "events"), tenant),
        "cloud_events": called_by(sample("ingest", "cloud_events"), tenant),
        "segment_call": with_body(with_basic_auth(sample("ingest", "segment_call"), acme.write_key), segment_call(1)),
    }[case]
    ingest = start("ingest")
    assert answer_of(ingest(request)).status == 200

    with round_trips(redis_proxy, postgres_proxy) as counted:
        ingest(request)

    assert counted == [1, 0]


@pytest.mark.parametrize("function", ["usage", "members"])
@pytest.mark.parametrize("host", ["track.acme.example", "proxy.unknown.example"])
def test_custom_domain_takes_one_of_postgresql_a_minute(
    function: str,
    host: str,
    start: Start,
    databases: Databases,
    acme: Provisioned,
    redis_proxy: TcpProxy,
    postgres_proxy: TcpProxy,
) -> None:
    activate_domain(databases, acme.organization.id, "track.acme.example")
    request = with_headers(called_by(with_path(sample("audit", "list"), "/nowhere"), tenant_of(acme)), host=host)
    running = start(function)
    assert answer_of(running(with_headers(request, host="api.attribution.example"))).status == 404
    running(with_headers(request, host="other.example"))  # connects

    with round_trips(redis_proxy, postgres_proxy) as first:
        running(request)
    with round_trips(redis_proxy, postgres_proxy) as second:
        running(request)

    assert (first, second) == ([1, 1], [1, 0])


def test_events_at_a_custom_domain_take_none_of_postgresql(
    start: Start, databases: Databases, acme: Provisioned, redis_proxy: TcpProxy, postgres_proxy: TcpProxy
) -> None:
    host = activate_domain(databases, acme.organization.id, "track.acme.example")
    call = with_body(with_basic_auth(sample("ingest", "segment_call"), acme.write_key), segment_call(1))
    request = with_headers(call, host=host, x_forwarded_host="proxy.unknown.example")
    ingest = start("ingest")
    assert answer_of(ingest(request)).status == 200

    with round_trips(redis_proxy, postgres_proxy) as counted:
        ingest(request)

    assert counted == [1, 0]
