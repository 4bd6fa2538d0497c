"""Users and apps are counted in the transaction that adds one."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from scripts.stack import postgres
from tenancy.errors import QuotaExceededError
from tenancy.rules.quotas import Metric, limit_of
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.apps import count_apps, insert_app
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.users import count_users, insert_user
from tenancy.use_cases.organizations.claim_seat import claim_seat
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, sold
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW

type Add = Callable[[Connection, UUID], None]


def add_user(conn: Connection, organization_id: UUID) -> None:
    user_id = uuid4()
    insert_user(conn, organization_id, user_id, email=f"{user_id}@x.example", password_hash="", role="viewer")


def add_app(conn: Connection, organization_id: UUID) -> None:
    insert_app(conn, organization_id, uuid4(), name="App", platform="ios")


def claim(databases: Databases, provisioned: Provisioned, metric: Metric, add: Add, barrier: Barrier) -> str:
    url = databases.servers.postgres_url(postgres.PLATFORM, databases.name)
    organization = provisioned.organization
    with closing(Database(lambda: url)) as db:
        barrier.wait()
        try:
            with db.tenant_transaction(organization.id) as conn:
                claim_seat(conn, organization.id, metric, now=NOW)
                add(conn, organization.id)
        except QuotaExceededError:
            return "refused"
    return "added"


@pytest.mark.parametrize(
    ("metric", "add", "count"), [(Metric.USERS, add_user, count_users), (Metric.APPS, add_app, count_apps)]
)
def test_concurrent_inserts_never_exceed_the_limit_of_the_tier(
    databases: Databases, acme: Provisioned, metric: Metric, add: Add, count: Callable[[Connection, UUID], int]
) -> None:
    limit, barrier = limit_of(sold(Tier.STARTER), metric), Barrier(16)

    assert limit is not None

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(lambda _: claim(databases, acme, metric, add, barrier), range(16)))

    assert outcomes == {"added": limit - 1, "refused": 16 - (limit - 1)}

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert count(conn, acme.organization.id) == limit
        statement = "SELECT percent FROM quota_notices WHERE metric = %s ORDER BY percent"
        assert conn.execute(statement, (metric,)).fetchall() == [(80,), (100,)]


def test_seats_go_by_the_overrides(databases: Databases, acme: Provisioned) -> None:
    barrier = Barrier(1)
    with superuser(databases) as conn:
        conn.execute('UPDATE organizations SET overrides = \'{"apps": 3, "users": "unlimited"}\'')

    apps = [claim(databases, acme, Metric.APPS, add_app, barrier) for _ in range(3)]
    users = [claim(databases, acme, Metric.USERS, add_user, barrier) for _ in range(6)]

    assert (apps, users) == (["added", "added", "refused"], ["added"] * 6)


def test_seats_are_counted_per_organization(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    for provisioned, outcomes in ((acme, ["added", "refused"]), (globex, ["added", "added"])):
        barrier = Barrier(1)
        assert [claim(databases, provisioned, Metric.APPS, add_app, barrier) for _ in range(2)] == outcomes
