"""A request with an Idempotency-Key makes one change, also if it is sent twice at once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from scripts.stack import postgres
from tenancy.errors import ConflictError, ForbiddenError, IdempotencyKeyReusedError, QuotaExceededError
from tenancy.rules.audit_record import Actor
from tenancy.rules.durations import IDEMPOTENT_ANSWER_RETENTION
from tenancy.rules.keys.managed_keys import KeyKind, NewKey
from tenancy.rules.permissions import KEYS_WRITE, PERMISSIONS, USAGE_READ
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.apps.create_app import create_app
from tenancy.use_cases.idempotency.answer_once import RepeatableRequest, answer_once
from tenancy.use_cases.keys.create_key import WantedKey, create_key
from tenancy.use_cases.keys.platform_keys import create_platform_key, revoke_key_of_platform
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.registers import new_register

AT_ONCE = 12
DAY = IDEMPOTENT_ANSWER_RETENTION
SECOND = timedelta(seconds=1)
WANTED = WantedKey(kind=KeyKind.SECRET, name="Billing", app_id=None, scopes=(USAGE_READ,), expires_at=None)

type Create = Callable[..., NewKey]
type Stores = tuple[Database, Encryptor]


def actor_of(provisioned: Provisioned) -> Actor:
    return replace(OPERATOR, kind=CallerKind.KEY, id=provisioned.secret_key_id)


@pytest.fixture
def create(databases: Databases, encryptor: Encryptor) -> Create:
    def create(
        provisioned: Provisioned,
        *,
        stores: Stores = (databases.platform, encryptor),
        scopes: frozenset[str] = PERMISSIONS,
        actor: Actor | None = None,
        now: object = NOW,
        **members: object,
    ) -> NewKey:
        wanted = replace(WANTED, **members)  # type: ignore[arg-type]
        tenant, by = tenant_of(provisioned, scopes=scopes), actor or actor_of(provisioned)
        return create_key(*stores, tenant, wanted, by, idempotency_key="order-1", now=now)  # type: ignore[arg-type]

    return create


def count(databases: Databases, statement: str) -> int:
    with superuser(databases) as conn:
        [(number,)] = conn.execute(statement.encode()).fetchall()
    return int(number)


def at_once[Result](
    databases: Databases, aws: AwsAccount, call: Callable[[Stores], Result]
) -> list[Result | Exception]:
    """Return the results of calls that start at once, each with connections of its own."""
    barrier, url = Barrier(AT_ONCE), databases.servers.postgres_url(postgres.PLATFORM, databases.name)

    def run(_: int) -> Result | Exception:
        client = AwsClient("kms", REGION, aws.endpoint_url)
        with closing(Database(lambda: url)) as db, closing(client):
            barrier.wait()
            try:
                return call((db, Encryptor(client, aws.encryption_key_id)))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def test_equal_requests_at_once_make_one_key(
    databases: Databases, aws: AwsAccount, create: Create, acme: Provisioned
) -> None:
    answers = at_once(databases, aws, lambda stores: create(acme, stores=stores))

    assert all(answer == answers[0] for answer in answers), answers
    assert isinstance(answers[0], NewKey)
    assert count(databases, "SELECT count(*) FROM api_keys WHERE name = 'Billing'") == 1
    assert count(databases, "SELECT count(*) FROM audit_log WHERE action = 'key.created'") == 1


def test_answer_is_repeated_for_a_day(create: Create, acme: Provisioned) -> None:
    first = create(acme)

    assert create(acme, now=NOW + DAY) == first
    assert create(acme, now=NOW + DAY + SECOND) != first


def test_sweep_deletes_expired_answers(
    databases: Databases, create: Create, counters: Redis, targets: OutboxTargets, acme: Provisioned
) -> None:
    create(acme)
    for wait, left in ((DAY, 1), (DAY + SECOND, 0)):
        sweep(databases.platform, counters, targets, now=NOW + wait)

        assert count(databases, "SELECT count(*) FROM idempotent_requests") == left


def test_key_belongs_to_one_credential(create: Create, acme: Provisioned) -> None:
    other = replace(actor_of(acme), id=uuid4())

    assert create(acme).id != create(acme, actor=other).id


def test_key_belongs_to_one_organization(create: Create, acme: Provisioned, globex: Provisioned) -> None:
    """Also for an equal id of the credential."""
    assert create(acme).id != create(globex, actor=actor_of(acme)).id


def test_key_of_another_request_is_refused(create: Create, acme: Provisioned) -> None:
    create(acme)

    with pytest.raises(IdempotencyKeyReusedError):
        create(acme, name="Other")


def test_answer_is_repeated_after_the_end_of_its_key(create: Create, acme: Provisioned) -> None:
    ends_at = NOW + timedelta(minutes=1)
    first = create(acme, expires_at=ends_at)

    assert create(acme, expires_at=ends_at, now=NOW + timedelta(hours=1)) == first


def test_demoted_member_does_not_get_the_key_again(create: Create, acme: Provisioned) -> None:
    create(acme)

    with pytest.raises(ForbiddenError):
        create(acme, scopes=frozenset({KEYS_WRITE}))


def test_stored_answer_is_encrypted(databases: Databases, create: Create, acme: Provisioned) -> None:
    text = create(acme).key.text

    with superuser(databases) as conn:
        [(answer,)] = conn.execute("SELECT answer FROM idempotent_requests").fetchall()
    assert text.encode() not in answer
    assert b"Billing" not in answer


def test_refused_change_stores_no_answer(databases: Databases, encryptor: Encryptor, acme: Provisioned) -> None:
    def refuse(_: Connection, __: UUID) -> None:
        raise ConflictError

    request = RepeatableRequest.of(acme.organization.id, uuid4(), "order-1", "test", [])
    with pytest.raises(ConflictError):
        answer_once(databases.platform, encryptor, request, UUID, uuid4, refuse, now=NOW)

    assert count(databases, "SELECT count(*) FROM idempotent_requests") == 0


def test_apps_at_once_never_exceed_the_limit(databases: Databases, aws: AwsAccount, acme: Provisioned) -> None:
    def create(stores: Stores) -> object:
        tenant, actor, key = tenant_of(acme), actor_of(acme), str(uuid4())
        return create_app(*stores, tenant, actor, name="x", platform="ios", idempotency_key=key, now=NOW)

    kinds = Counter(type(answer) for answer in at_once(databases, aws, create))

    assert kinds[QuotaExceededError] == AT_ONCE - 1
    assert count(databases, "SELECT count(*) FROM apps WHERE status = 'active'") == 2


def test_last_platform_keys_cannot_be_revoked_at_once(
    databases: Databases, aws: AwsAccount, encryptor: Encryptor
) -> None:
    """Each request revokes another key. One key without an end is left."""
    made = [
        create_platform_key(databases.platform, encryptor, "x", None, OPERATOR, idempotency_key=None, now=NOW).id
        for _ in range(AT_ONCE)
    ]

    answers = at_once(
        databases, aws, lambda stores: revoke_key_of_platform(stores[0], new_register(), made.pop(), OPERATOR, now=NOW)
    )

    assert Counter(type(answer) for answer in answers) == {type(None): AT_ONCE - 1, ConflictError: 1}
    assert count(databases, "SELECT count(*) FROM platform_keys WHERE revoked_at IS NULL") == 1
