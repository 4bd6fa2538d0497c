"""A platform key is checked at each request, so a revoked one is refused at the next."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.tenant import Operator
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tests.given import Databases
from tests.handlers.functions import insert_operator, superuser
from tests.use_cases.admitting import NOW, REDIS_TIMEOUT_SECONDS

OPERATOR = Operator(credential_id=PLATFORM_LOG)


@pytest.fixture
def keys(databases: Databases) -> Iterator[psycopg.Connection]:
    """Store the key of the operator, and yield a connection that may revoke it."""
    with superuser(databases) as conn:
        insert_operator(conn, OPERATOR)
        yield conn


@pytest.fixture
def unreachable_redis(nowhere: str) -> Iterator[Redis]:
    with closing(Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=REDIS_TIMEOUT_SECONDS)) as redis:
        yield redis


def revoke(conn: psycopg.Connection) -> None:
    conn.execute("UPDATE platform_keys SET revoked_at = now() WHERE id = %s", (OPERATOR.credential_id,))


def no_database() -> Database:
    pytest.fail("PostgreSQL was asked.")


@pytest.mark.parametrize("role", ["functions", "platform"])
@pytest.mark.parametrize("redis", ["counters", "unreachable_redis"])
def test_revoked_platform_key_is_refused_at_the_next_request(
    databases: Databases, keys: psycopg.Connection, request: pytest.FixtureRequest, redis: str, role: str
) -> None:
    gate = AdmissionGate(request.getfixturevalue(redis), lambda: getattr(databases, role))

    before = [gate.admit(OPERATOR, now=NOW).verdict for _ in range(2)]
    revoke(keys)
    refused = gate.admit(OPERATOR, now=NOW)

    assert before == [AdmissionVerdict.ADMITTED] * 2
    assert (refused.verdict, refused.rate) == (AdmissionVerdict.UNAUTHENTICATED, None)


def test_unknown_platform_key_is_refused(databases: Databases, counters: Redis) -> None:
    gate = AdmissionGate(counters, lambda: databases.functions)

    assert gate.admit(OPERATOR, now=NOW).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_other_platform_key_stays_admitted(databases: Databases, counters: Redis, keys: psycopg.Connection) -> None:
    other = Operator(credential_id=uuid4())
    insert_operator(keys, other)
    gate = AdmissionGate(counters, lambda: databases.functions)

    revoke(keys)

    assert gate.admit(other, now=NOW).verdict is AdmissionVerdict.ADMITTED


def test_operator_is_refused_while_postgresql_is_unreachable(counters: Redis, nowhere: str) -> None:
    with closing(Database(lambda: f"postgresql://x:x@{nowhere}/tenancy")) as unreachable:
        gate = AdmissionGate(counters, lambda: unreachable)

        with pytest.raises(UnavailableError):
            gate.admit(OPERATOR, now=NOW)


@pytest.mark.parametrize("redis", ["counters", "unreachable_redis"])
@pytest.mark.usefixtures("keys")
def test_operator_has_a_rate_limit_of_its_own(databases: Databases, request: pytest.FixtureRequest, redis: str) -> None:
    gate = AdmissionGate(request.getfixturevalue(redis), lambda: databases.functions)

    verdicts = [gate.admit(OPERATOR, now=NOW).verdict for _ in range(PLATFORM_REQUESTS_PER_MINUTE + 1)]

    assert verdicts == [AdmissionVerdict.ADMITTED] * PLATFORM_REQUESTS_PER_MINUTE + [AdmissionVerdict.RATE_LIMITED]


@pytest.mark.usefixtures("keys")
def test_request_over_the_rate_limit_costs_no_query(databases: Databases, counters: Redis) -> None:
    gate, without_database = AdmissionGate(counters, lambda: databases.functions), AdmissionGate(counters, no_database)
    for _ in range(PLATFORM_REQUESTS_PER_MINUTE):
        gate.admit(OPERATOR, now=NOW)

    refused = without_database.admit(OPERATOR, now=NOW)

    assert refused.verdict is AdmissionVerdict.RATE_LIMITED
