"""The operator's replay, with the variables of a deployed stack and with other secrets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from scripts.restore.replaying import VARIABLES, replay_register, wire
from tenancy.rules.register import ended_keys, erased_organization
from tenancy.settings import Settings
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.secrets import REDIS
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.restore.replay import ReplayStores
from tenancy.wiring import Wiring
from tests.given import REGION, REGISTER_BUCKET, STACK_NAME, AwsAccount, Databases
from tests.handlers.conftest import buckets_of
from tests.handlers.functions import BASE_DOMAIN, PREFIX, PutSecret, close_resources, superuser
from tests.use_cases.erasing import column_of
from tests.use_cases.storing import count, store

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def wired(
    aws: AwsAccount,
    databases: Databases,
    put_secret: PutSecret,
    secrets: None,  # noqa: ARG001 - the URLs of the databases
) -> Iterator[tuple[Wiring, ReplayStores]]:
    put_secret(REDIS, databases.servers.valkey_url)
    values = {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "SECRETS_PREFIX": PREFIX,
        "STACK_NAME": STACK_NAME,
        "BASE_DOMAIN": BASE_DOMAIN,
        "ERASURE_QUIET_SECONDS": "0",
        "RECOUNT_AFTER_SECONDS": "60",
        "SIGNING_KEY_ID": aws.signing_key_id,
        **buckets_of(aws),
    }
    wiring, stores = wire(Settings.from_env(*VARIABLES, environ=values))
    yield wiring, stores
    for each in (wiring, stores, stores.erasure.client()):
        close_resources(each)


def test_replay_erases_and_verifies(
    wired: tuple[Wiring, ReplayStores],
    databases: Databases,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
) -> None:
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(10), at=HOUR_AGO)
    register.put(erased_organization(acme.organization.id, closed_at=HOUR_AGO))
    register.put(ended_keys(globex.organization.id, [globex.write_key_id], ends_at=HOUR_AGO))
    said: list[str] = []

    wrong = replay_register(*wired, said.append)

    assert wrong == []
    assert said[0] == "register: 1 organizations, 0 subjects, 1 keys"
    assert said[-2:] == [
        "all audit logs verify",
        "replayed: 1 organizations and 0 data subjects are erased, 1 keys have ended",
    ]
    assert column_of(databases, acme.organization.id)["status"] == "erased"
    assert [count(databases, each.organization.id) for each in (acme, globex)] == [0, 10]


def test_damaged_audit_log_is_named(
    wired: tuple[Wiring, ReplayStores], databases: Databases, globex: Provisioned
) -> None:
    replay_register(*wired, lambda _: None)
    with superuser(databases) as conn:
        conn.execute("UPDATE audit_log SET target = 'x' WHERE organization_id = %s", (globex.organization.id,))

    [wrong] = replay_register(*wired, lambda _: None)

    assert str(globex.organization.id) in wrong


def test_object_that_is_no_entry_stops_no_replay(
    wired: tuple[Wiring, ReplayStores], databases: Databases, register: Register, acme: Provisioned
) -> None:
    s3: Any = boto3.client("s3", region_name=REGION)
    s3.put_object(Bucket=REGISTER_BUCKET, Key="organizations/", Body=b"")
    register.put(erased_organization(acme.organization.id, closed_at=HOUR_AGO))

    wrong = replay_register(*wired, lambda _: None)

    assert wrong == ["'organizations/' is no entry of the register"]
    assert column_of(databases, acme.organization.id)["status"] == "erased"
