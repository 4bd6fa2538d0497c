"""Provisioning under an Idempotency-Key creates one organization and repeats its answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import boto3
import msgspec
import psycopg
import pytest
from pydantic import SecretStr

from scripts.stack import postgres
from tenancy.errors import (
    IdempotencyKeyReusedError,
    Refusal,
    RequestInProgressError,
    SubdomainTakenError,
    UnavailableError,
)
from tenancy.rules.audit_record import Actor
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.provisioning_requests import RequestKey, StoredRequest, insert_request
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.organizations.provision_once import _canonical, provision_once
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, PASSWORD, PLANS_PATH, REGION, AwsAccount, Databases, new_organization

AT_ONCE = 50
COUNTS = """
    SELECT (SELECT count(*) FROM organizations), (SELECT count(*) FROM users),
           (SELECT count(*) FROM outbox WHERE kind = 'welcome_mail'), (SELECT count(*) FROM api_keys)
"""

type Ask = Callable[..., Provisioned]


@pytest.fixture
def ask(databases: Databases, targets: OutboxTargets, encryptor: Encryptor) -> Ask:
    def provision(
        name: str = "acme",
        *,
        key: str = "order-1",
        now: datetime = NOW,
        actor: Actor = OPERATOR,
        tier: Tier = Tier.STARTER,
    ) -> Provisioned:
        new = new_organization(name, tier)
        return provision_once(databases.platform, targets, encryptor, new, actor, idempotency_key=key, now=now)

    return provision


def counts(databases: Databases) -> tuple[int, ...]:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        return conn.execute(COUNTS).fetchone() or ()


def test_repeated_request_creates_one_organization(databases: Databases, ask: Ask) -> None:
    first = ask()

    assert [ask(now=NOW + timedelta(hours=hours)) for hours in (0, 1, 23)] == [first] * 3
    assert counts(databases) == (1, 1, 1, 2)


def test_other_key_or_credential_is_another_request(ask: Ask) -> None:
    acme, globex = ask("acme", key="a"), ask("globex", key="b")

    initech = ask("initech", key="a", actor=replace(OPERATOR, id=uuid4()))

    assert len({each.organization.id for each in (acme, globex, initech)}) == 3


def test_same_key_with_another_body_is_refused(ask: Ask) -> None:
    ask()

    for changes in ({"name": "globex"}, {"tier": Tier.GROWTH}):
        with pytest.raises(IdempotencyKeyReusedError):
            ask(**changes)


def test_claimed_request_is_in_progress_until_the_claim_ends(databases: Databases, ask: Ask) -> None:
    claim(databases, new_organization("acme"), until=NOW + timedelta(seconds=60))

    with pytest.raises(RequestInProgressError):
        ask(now=NOW + timedelta(seconds=59))

    with pytest.raises(IdempotencyKeyReusedError):
        ask("globex", now=NOW + timedelta(seconds=59))
    assert ask(now=NOW + timedelta(seconds=60)).organization.id == CLAIMED_ID


CLAIMED_ID = UUID("0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10")


def claim(databases: Databases, new: NewOrganization, *, until: datetime) -> None:
    """Insert the claim of a request that crashed afterwards."""
    key = RequestKey(credential_id=OPERATOR.id, digest=sha256(b"order-1").digest())
    request = StoredRequest(organization_id=CLAIMED_ID, request_hash=HASHER.hash(_canonical(new)), claimed_until=until)
    with databases.platform.transaction() as conn:
        insert_request(conn, key, request, now=NOW)


class OvertakenEncryptor(Encryptor):
    """An encryptor that calls *meanwhile* before it encrypts."""

    def __init__(self, encryptor: Encryptor, meanwhile: Callable[[], object]) -> None:
        super().__init__(encryptor._aws, encryptor._key_id)
        self._meanwhile = meanwhile

    def encrypt(self, text: bytes, organization_id: UUID) -> bytes:
        self._meanwhile()
        return super().encrypt(text, organization_id)


def test_overtaken_request_creates_nothing(
    databases: Databases, targets: OutboxTargets, encryptor: Encryptor, ask: Ask
) -> None:
    answers: list[Provisioned] = []
    overtaken = OvertakenEncryptor(encryptor, lambda: answers.append(ask(now=NOW + timedelta(seconds=61))))

    with pytest.raises(RequestInProgressError):
        provision_once(
            databases.platform,
            targets,
            overtaken,
            new_organization("acme"),
            OPERATOR,
            idempotency_key="order-1",
            now=NOW,
        )

    assert counts(databases) == (1, 1, 1, 2)
    assert [ask(now=NOW + timedelta(seconds=62))] == answers


def test_refused_request_does_not_use_its_key(databases: Databases, ask: Ask) -> None:
    ask("acme", key="first")

    for name in ("acme", "admin"):
        with pytest.raises(SubdomainTakenError):
            ask(name)

    assert ask("globex").organization.subdomain == "globex"
    assert counts(databases)[0] == 2


def test_kms_failure_creates_nothing_and_can_be_retried(
    databases: Databases, targets: OutboxTargets, aws: AwsAccount, ask: Ask
) -> None:
    with closing(AwsClient("kms", REGION, aws.endpoint_url)) as client, pytest.raises(UnavailableError):
        provision_once(
            databases.platform,
            targets,
            Encryptor(client, str(uuid4())),
            new_organization("acme"),
            OPERATOR,
            idempotency_key="order-1",
            now=NOW,
        )

    assert counts(databases)[0] == 0

    ask()
    assert counts(databases)[0] == 1


def test_stored_answer_shows_no_key_and_no_password(databases: Databases, ask: Ask) -> None:
    provisioned = ask()

    with databases.platform.transaction() as conn:
        [(row, answer)] = conn.execute("SELECT to_jsonb(r)::text, answer FROM provisioning_requests AS r").fetchall()
    for secret in (provisioned.write_key.text, provisioned.secret_key.text, PASSWORD, "order-1"):
        assert secret not in row
        assert secret.encode() not in answer

    assert '"$argon2id$v=19$m=19456,t=2,p=1$' in row


def test_longest_answer_can_be_encrypted(databases: Databases, targets: OutboxTargets, encryptor: Encryptor) -> None:
    new = NewOrganization(
        name="\U00020000" * 255,
        subdomain="a" * 63,
        admin_email=f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 53}.example",
        admin_password=SecretStr(PASSWORD),
        tier=Tier.ENTERPRISE,
    )

    assert len(new.admin_email) == 254

    provisioned = [
        provision_once(databases.platform, targets, encryptor, new, OPERATOR, idempotency_key="k" * 255, now=NOW)
        for _ in range(2)
    ]

    assert provisioned[0] == provisioned[1]
    assert len(msgspec.json.encode(provisioned[0])) < 4096  # the limit of KMS, which moto does not have


def test_answer_is_encrypted_for_one_organization(encryptor: Encryptor) -> None:
    acme, globex = uuid4(), uuid4()

    sealed = encryptor.encrypt(b"a key", acme)

    assert encryptor.decrypt(sealed, acme) == b"a key"
    with pytest.raises(UnavailableError):
        encryptor.decrypt(sealed, globex)


def test_stored_answer_expires_after_a_day(
    databases: Databases, counters: Redis, targets: OutboxTargets, ask: Ask
) -> None:
    provisioned = ask()

    sweep(databases.platform, counters, targets, now=NOW + timedelta(hours=24))

    assert ask(now=NOW + timedelta(hours=24)) == provisioned

    sweep(databases.platform, counters, targets, now=NOW + timedelta(hours=24, seconds=1))

    with pytest.raises(SubdomainTakenError):
        ask(now=NOW + timedelta(hours=24, seconds=1))


def test_repeated_request_creates_the_missing_gateway_key(
    databases: Databases, counters: Redis, targets: OutboxTargets, aws: AwsAccount, ask: Ask
) -> None:
    ssm = boto3.client("ssm", region_name=REGION)
    ssm.delete_parameter(Name=f"{PLANS_PATH}/starter")

    with pytest.raises(UnavailableError):
        ask()

    for minutes in (1, 2, 4, 8, 16, 32, 64, 128):
        run = sweep(databases.platform, counters, targets, now=NOW + timedelta(minutes=minutes))
        assert run is not None
        assert "gateway_key" in run.outbox.failed

    with pytest.raises(UnavailableError):
        ask(now=NOW + timedelta(minutes=129))

    ssm.put_parameter(Name=f"{PLANS_PATH}/starter", Value=aws.plan_ids["starter"], Type="String")
    provisioned = ask(now=NOW + timedelta(minutes=129, seconds=1))

    gateway = boto3.client("apigateway", region_name=REGION)
    keys = gateway.get_usage_plan_keys(usagePlanId=aws.plan_ids["starter"])["items"]
    assert [item["name"] for item in keys] == [f"organization-{provisioned.organization.id}-1"]
    assert counts(databases)[0] == 1


def test_claimed_gateway_key_answers_in_progress(
    databases: Databases, targets: OutboxTargets, encryptor: Encryptor, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = new_organization("acme")

    with monkeypatch.context() as patch:

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(GatewayKeys, "put_key", die)
        with pytest.raises(KeyboardInterrupt):
            provision_once(databases.platform, targets, encryptor, new, OPERATOR, idempotency_key="order-1", now=NOW)

    with pytest.raises(RequestInProgressError) as refused:
        ask(now=NOW + timedelta(seconds=59))
    assert refused.value.retry_after == 10
    assert ask(now=NOW + timedelta(seconds=60)).organization.subdomain == "acme"


@pytest.mark.usefixtures("cheap_hashes", "long_boto_timeouts")
@pytest.mark.parametrize("has_key", [True, False])
def test_50_concurrent_requests_create_one_organization(
    databases: Databases, targets: OutboxTargets, aws: AwsAccount, *, has_key: bool
) -> None:
    def provision(_: int) -> Provisioned | str:
        url = databases.servers.postgres_url(postgres.PLATFORM, databases.name)
        new = new_organization("acme")
        with closing(Database(lambda: url)) as db, closing(AwsClient("kms", REGION, aws.endpoint_url)) as client:
            try:
                if not has_key:
                    return provision_organization(db, targets, new, OPERATOR, now=NOW)
                encryptor = Encryptor(client, aws.encryption_key_id)
                return provision_once(db, targets, encryptor, new, OPERATOR, idempotency_key="order-1", now=NOW)
            except Refusal as refusal:
                return refusal.code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(provision, range(AT_ONCE)))

    provisioned = [answer for answer in answers if isinstance(answer, Provisioned)]

    assert provisioned
    assert all(answer == provisioned[0] for answer in provisioned)
    assert set(answers) - set(provisioned) <= ({"request_in_progress"} if has_key else {"subdomain_taken"})
    assert counts(databases) == (1, 1, 1, 2)
