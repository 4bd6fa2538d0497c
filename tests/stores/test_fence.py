"""The fence of a move: a tenant's transaction runs where its organization's rows are, or not at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tenancy.errors import UnavailableError
from tenancy.rules.homes import PLATFORM_FENCE, fence_key
from tenancy.stores.postgres.client import Connection, Database, MovedError
from tenancy.stores.postgres.platform.lookups import find_key_holder, find_member
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases

MOVE = UUID("0193f6a2-9e52-4d0b-b2a1-7c8e5f6d4b32")
INSERT_MOVE = "INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, %s, 'second', %s)"
INSERT_MANY_MOVES = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id)
    SELECT gen_random_uuid(), 'moved', 'second', gen_random_uuid() FROM generate_series(1, 10000)
"""
LOCK = "SELECT pg_advisory_xact_lock(%s)"
COUNT_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
COUNT_USERS = "SELECT count(*) FROM users"


@contextmanager
def superuser(databases: Databases) -> Iterator[Connection]:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        yield conn


def move(databases: Databases, organization: Provisioned, state: str) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_MOVE, (organization.organization.id, state, MOVE))


def roles_of(databases: Databases) -> tuple[Database, ...]:
    return databases.functions, databases.platform, databases.authorizer


@pytest.mark.parametrize("state", ["moved", "incoming"])
@pytest.mark.parametrize("is_snapshot", [False, True])
def test_moved_organization_is_refused(
    databases: Databases, acme: Provisioned, globex: Provisioned, state: str, *, is_snapshot: bool
) -> None:
    move(databases, acme, state)

    for database in roles_of(databases):
        refused = database.tenant_transaction(acme.organization.id, is_snapshot=is_snapshot)
        with pytest.raises(MovedError) as error, refused:
            pytest.fail("a transaction was opened")
        assert (error.value.other, error.value.move_id) == ("second", MOVE)
        with database.tenant_transaction(globex.organization.id, is_snapshot=is_snapshot) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_rows_of_a_move_that_has_ended_elsewhere_are_accepted(databases: Databases, acme: Provisioned) -> None:
    move(databases, acme, "incoming")

    with databases.platform.tenant_transaction(acme.organization.id, move_id=MOVE) as conn:
        assert conn.execute(COUNT_USERS).fetchone() == (1,)
    other_move = databases.platform.tenant_transaction(acme.organization.id, move_id=uuid4())
    with pytest.raises(MovedError), other_move:
        pytest.fail("a transaction was opened")


def test_hint_does_not_open_rows_that_have_left(databases: Databases, acme: Provisioned) -> None:
    move(databases, acme, "moved")

    hinted = databases.platform.tenant_transaction(acme.organization.id, move_id=MOVE)
    with pytest.raises(MovedError), hinted:
        pytest.fail("a transaction was opened")


@pytest.mark.parametrize("is_cut_over", [True, False])
def test_transaction_waits_for_a_cut_over(databases: Databases, acme: Provisioned, *, is_cut_over: bool) -> None:
    def read() -> object:
        with databases.functions.tenant_transaction(acme.organization.id) as conn:
            return conn.execute(COUNT_USERS).fetchone()

    with superuser(databases) as watching, superuser(databases) as mover, ThreadPoolExecutor() as threads:
        with mover.transaction():
            mover.execute(LOCK, (fence_key(acme.organization.id),))
            reading = threads.submit(read)
            while watching.execute(COUNT_WAITING).fetchone() == (0,):
                pass
            if is_cut_over:
                mover.execute(INSERT_MOVE, (acme.organization.id, "moved", MOVE))
        if is_cut_over:
            assert isinstance(reading.exception(), MovedError)
        else:
            assert reading.result() == (1,)


def test_closed_fence_takes_one_time_out(databases: Databases, acme: Provisioned) -> None:
    opened: list[Connection] = []
    url = make_conninfo(databases.functions._url(), options="-c statement_timeout=100")
    database, acme_id = Database(lambda: url, watch=opened.append), acme.organization.id

    with closing(database), superuser(databases) as mover:
        with mover.transaction():
            mover.execute(LOCK, (fence_key(acme_id),))
            with pytest.raises(UnavailableError), database.tenant_transaction(acme_id):
                pytest.fail("a transaction was opened")
        assert len(opened) == 1
        with database.tenant_transaction(acme_id) as conn:
            assert conn.execute(COUNT_USERS).fetchone() == (1,)


def test_cut_over_waits_for_transactions(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    tries = "SELECT pg_try_advisory_xact_lock(%s)"
    acme_id, globex_id = acme.organization.id, globex.organization.id

    with superuser(databases) as mover:
        with databases.functions.tenant_transaction(acme_id):
            assert mover.execute(tries, (fence_key(acme_id),)).fetchone() == (False,)
            assert mover.execute(tries, (fence_key(globex_id),)).fetchone() == (True,)
            assert mover.execute(tries, (PLATFORM_FENCE,)).fetchone() == (True,)
        with databases.platform.transaction():
            assert mover.execute(tries, (PLATFORM_FENCE,)).fetchone() == (False,)
            assert mover.execute(tries, (fence_key(acme_id),)).fetchone() == (True,)
        assert mover.execute(tries, (fence_key(acme_id),)).fetchone() == (True,)


def test_snapshot_changes_no_row(databases: Databases, acme: Provisioned) -> None:
    """A snapshot is older than the fence, so it may show rows that a move has taken away since."""
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        databases.platform.tenant_transaction(acme.organization.id, is_snapshot=True) as conn,
    ):
        conn.execute("UPDATE organizations SET name = 'Renamed' WHERE id = %s", (acme.organization.id,))


@pytest.mark.parametrize("state", ["moved", "incoming"])
def test_platform_sees_no_rows_of_an_organization_elsewhere(
    databases: Databases, acme: Provisioned, globex: Provisioned, state: str
) -> None:
    move(databases, acme, state)

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT id FROM organizations").fetchall() == [(globex.organization.id,)]
        assert conn.execute("SELECT organization_id FROM organization_names").fetchall() == [(globex.organization.id,)]
        changed = conn.execute("UPDATE organizations SET name = 'Renamed'")
        assert changed.rowcount == 1


def test_platform_inserts_no_row_for_an_organization_elsewhere(databases: Databases, acme: Provisioned) -> None:
    insert = """
        INSERT INTO outbox (organization_id, kind, payload, created_at)
        VALUES (%s, 'standing', '{}', now())
    """
    move(databases, acme, "moved")

    with pytest.raises(psycopg.errors.InsufficientPrivilege), databases.platform.transaction() as conn:
        conn.execute(insert, (acme.organization.id,))


def test_look_ups_find_no_row_of_an_organization_elsewhere(databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        [(digest,)] = conn.execute("SELECT digest FROM api_keys WHERE id = %s", (acme.secret_key_id,))
    assert databases.authorizer.look_up(lambda conn: find_key_holder(conn, digest)) is not None

    move(databases, acme, "moved")

    organization_id, user_id = acme.organization.id, acme.admin_user_id
    assert databases.authorizer.look_up(lambda conn: find_key_holder(conn, digest)) is None
    assert databases.authorizer.look_up(lambda conn: find_member(conn, organization_id, user_id)) is None


def test_many_moves_do_not_slow_the_platform_down(databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_MANY_MOVES)
        conn.execute("ANALYZE moved_organizations")

    with databases.platform.transaction() as conn:
        conn.execute("SET LOCAL work_mem = '64kB'")  # too little to hash the moves, as for 300,000 with the default
        plan = "\n".join(line for (line,) in conn.execute("EXPLAIN SELECT count(*) FROM usage_ledger"))

    assert "using moved_organizations_pkey" in plan
    assert "Seq Scan on moved_organizations" not in plan
