"""Statements that change several keys lock them by id, so that they cannot wait for each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from time import sleep
from uuid import UUID

import pytest

from scripts.stack import postgres
from tenancy.stores.postgres.api_keys import revoke_api_keys_of_app
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.key_rotations import update_rotations_noticed
from tenancy.stores.postgres.platform.last_uses import update_last_uses
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import NOW, Databases
from tests.handlers.functions import superuser

FIRST, LAST = UUID(int=1), UUID(int=2**128 - 1)
POLICY = timedelta(days=90)
LIMIT = 10
# The key with the last id is the first in the table, and the oldest.
INSERT_KEY = """
    INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, scopes, created_at)
    VALUES (%s, %s, 'wk', %s, 'x', sha256(%s::text::bytea), '1234', '{events:write}', %s)
"""
LOCK = "SELECT FROM api_keys WHERE id = %s FOR NO KEY UPDATE"
IS_WAITING = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)

type Change = Callable[[Connection, Provisioned], object]


def revoke(conn: Connection, acme: Provisioned) -> object:
    return revoke_api_keys_of_app(conn, acme.organization.id, acme.app_id, now=NOW)


def persist_uses(conn: Connection, acme: Provisioned) -> object:
    update_last_uses(conn, acme.organization.id, dict.fromkeys((LAST, FIRST), NOW))
    return None


def notice(conn: Connection, acme: Provisioned) -> object:
    return update_rotations_noticed(conn, acme.organization.id, now=NOW, limit=LIMIT)


@pytest.mark.parametrize("change", [revoke, persist_uses, notice])
def test_keys_are_locked_by_id(databases: Databases, acme: Provisioned, change: Change) -> None:
    organization_id = acme.organization.id
    with superuser(databases) as conn:
        for key_id, days in ((LAST, 2), (FIRST, 1)):
            values = (key_id, organization_id, acme.app_id, key_id, NOW - POLICY - timedelta(days=days))
            conn.execute(INSERT_KEY, values)

    with superuser(databases) as holder, ThreadPoolExecutor(1) as pool:
        with holder.transaction():
            holder.execute(LOCK, (FIRST,))
            changed = pool.submit(_change, databases, acme, change)
            _await_waiter(databases)

            with superuser(databases) as other:
                other.execute(f"{LOCK} NOWAIT".encode(), (LAST,))
        changed.result()


def _change(databases: Databases, acme: Provisioned, change: Change) -> None:
    url = databases.servers.postgres_url(postgres.PLATFORM, databases.name)
    with closing(Database(lambda: url)) as db, db.tenant_transaction(acme.organization.id) as conn:
        change(conn, acme)


def _await_waiter(databases: Databases) -> None:
    """Wait until a statement waits for a lock. It waits for the key with the first id."""
    with superuser(databases) as conn:
        while conn.execute(IS_WAITING).fetchone() != (True,):
            sleep(0.01)
