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
from tests.handlers.redis_keys import persist_keys, persist_keys_of
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


def buckets_of(aws: AwsAccount) -> dict[str, str]:
    """Return the variables with the names of buckets."""
    return {
        "DEAD_LETTERS_BUCKET": aws.dead_letters_bucket,
        "EXPORTS_BUCKET": aws.exports_bucket,
        "REGISTER_BUCKET": aws.register_bucket,
    }


@pytest.fixture
def start(
    aws: AwsAccount,
    counters: Redis,
    servers: Servers,
    valkey_client: Client,
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
        know(counters, tenant)
    persist_keys_of(valkey_client)
    values = {
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "SECRETS_PREFIX": PREFIX,
        "STACK_NAME": STACK_NAME,
        "BASE_DOMAIN": BASE_DOMAIN,
        "API_HOST": API_HOST,
        "TOKEN_ISSUER": ISSUER,
        "EVENTS_QUEUE_URL": aws.queue_url,
        "DEAD_LETTERS_URL": aws.dead_letters_url,
        "AUDIT_QUEUE_URL": aws.audit_queue_url,
        "AUDIT_DEAD_LETTERS_URL": aws.audit_dead_letters_url,
        "REJECTED_CALLS_URL": aws.rejected_calls_url,
        "SIGNING_KEY_ID": aws.signing_key_id,
        "SEALING_KEY_ID": aws.encryption_key_id,
        "SSO_KEY_ID": aws.encryption_key_id,
        "PLATFORM_GATEWAY_KEY": OPERATORS_GATEWAY_KEY,
        "USAGE_PLANS_PATH": PLANS_PATH,
        "MAIL_FROM": SENDER,
        "STATE_MACHINE_ARN": aws.state_machine_arn,
        "DELETION_GRACE_SECONDS": str(30 * 24 * 3600),
        "ERASURE_QUIET_SECONDS": "0",
        "RECOUNT_AFTER_SECONDS": "60",
        **buckets_of(aws),
        "REDIS_PATIENCE_MS": str(int(PATIENCE_SECONDS * 1000)),
        "FETCH_FUNCTION": "arn:aws:lambda:eu-central-1:123456789012:function:tenancy-test-Fetch:live",
    }

    def enter(name: str, **changes: str) -> Function:
        invokes = "FETCH_FUNCTION" in template_variables(name)
        endpoint = {"AWS_ENDPOINT_URL": request.getfixturevalue("invocations_url")} if invokes else {}
        return stack.enter_context(running(name, values | endpoint | changes))

    with ExitStack() as stack:
        yield enter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    """Stop the clock of the gateway. `clock.stop` stops the clock of a function."""
    return StoppedClock(monkeypatch)


@pytest.fixture
def put_secret(aws: AwsAccount) -> PutSecret:  # noqa: ARG001 - its account
    return lambda name, text: aws_account.put_secret(f"{PREFIX}/{name}", text)


@pytest.fixture
def secrets(put_secret: PutSecret, databases: Databases) -> None:
    """Put the secrets that docs/operations.md tells an operator to put into Secrets Manager.

    The platform key of `requests.OPERATOR` is stored, too: each request of an operator needs a live one.
    """
    servers = databases.servers
    with databases.owner.transaction() as conn:  # its connection stays open from one test to the next
        insert_operator(conn, OPERATOR)
    put_secret(DATABASE, servers.postgres_url(postgres.FUNCTIONS, databases.name))
    put_secret(AUTHORIZER_DATABASE, servers.postgres_url(postgres.AUTHORIZER, databases.name))
    put_secret(PLATFORM_DATABASE, servers.postgres_url(postgres.PLATFORM, databases.name))
    put_secret(OWNER_DATABASE, servers.postgres_url(postgres.OWNER, databases.name))
    put_secret(CLICKHOUSE, servers.clickhouse_url(databases.name))
    put_secret(CLICKHOUSE_READER, servers.clickhouse_url(databases.name))
    put_secret(JWKS, servers.credentials.public_key_set())
    put_token_keys(put_secret)


@pytest.fixture
def mails(aws: AwsAccount) -> Mails:  # noqa: ARG001 - its account
    """List recipient and subject of each sent mail. moto runs in this process, and has no call."""
    return lambda: [
        (message.destinations["ToAddresses"][0], message.subject)
        for message in ses_backends[ACCOUNT][REGION].sent_messages
    ]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[LogLines]:
    """List the log lines since then, and then the lines of requests and metrics, which are printed.

    The logger's stream is replaced, because Powertools keeps that of its first logger.
    """
    stream, printed = io.StringIO(), io.StringIO()

    def lines() -> list[dict[str, Any]]:
        printed.write(capsys.readouterr().out)
        return [json.loads(line) for each in (stream, printed) for line in each.getvalue().splitlines()]

    handlers = [handler for handler in Logger().handlers if isinstance(handler, logging.StreamHandler)]
    kept = [handler.setStream(stream) for handler in handlers]
    yield lines
    for handler, before in zip(handlers, kept, strict=True):
        handler.setStream(before)


@pytest.fixture
def operator_key(databases: Databases) -> ApiKey:
    key = generate_key(KeyType.PLATFORM)
    with databases.owner.transaction() as conn:
        insert_platform_key(conn, key, name="Operator")
    return key


@pytest.fixture
def set_remaining(counters: Redis, servers: Servers) -> Callable[[int, int], None]:
    """Set how many events acme has left in the month's quota and in the grace band."""
    quotas = QUOTAS[Tier.STARTER]

    def remain(events: int, held: int) -> None:
        with Client.from_url(servers.valkey_url) as client:
            client.flushall()
        events_before, held_before = quotas.events_per_month - events, quotas.grace_events_per_month - held
        know(counters, sent_events.ACME, events=events_before, held=held_before)
        persist_keys(servers)

    return remain
