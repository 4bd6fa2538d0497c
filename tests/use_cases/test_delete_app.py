"""A deleted app: the request or the sweep publishes its keys."""

from datetime import timedelta
from uuid import uuid4

from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.stores.postgres.api_keys import insert_api_key
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.apps.delete_app import delete_app
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.given import NOW, OPERATOR, PATIENCE_SECONDS, Databases, tenant_of
from tests.use_cases.erasing import pending_entries

HOUR = timedelta(hours=1)


def add_write_key(databases: Databases, provisioned: Provisioned) -> None:
    with databases.platform.tenant_transaction(provisioned.organization.id) as conn:
        key = generate_key(KeyType.WRITE)
        organization_id, app_id = provisioned.organization.id, provisioned.app_id
        insert_api_key(conn, organization_id, uuid4(), key, name="x", scopes=[EVENTS_WRITE], app_id=app_id)


def test_all_keys_are_published(databases: Databases, targets: OutboxTargets, acme: Provisioned) -> None:
    add_write_key(databases, acme)

    assert delete_app(databases.platform, targets, tenant_of(acme), acme.app_id, OPERATOR, now=NOW)

    assert "credential" not in [kind for kind, _ in pending_entries(databases)]


def test_sweep_publishes_the_keys_that_redis_missed(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, nowhere: str
) -> None:
    add_write_key(databases, acme)
    unreachable = OutboxTargets(redis=Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS))

    assert not delete_app(databases.platform, unreachable, tenant_of(acme), acme.app_id, OPERATOR, now=NOW)

    assert [kind for kind, _ in pending_entries(databases)].count("credential") == 2
    run_due_entries(databases.platform, targets, now=NOW + HOUR)
    assert "credential" not in [kind for kind, _ in pending_entries(databases)]
