"""An erasure waits for unfinished moves, and erases the rows that finished ones left in the former home."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from scripts.move.tables import Table, list_tables
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.deletion import Counts
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.deletion.erase import (
    WritersActiveError,
    await_writers,
    certify,
    count_again,
    erase_store,
    place_tombstones,
)
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES, ErasureStores
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.privacy_jobs import run_privacy_jobs
from tests.given import OPERATOR, Databases
from tests.use_cases.erasing import GRACE, WRITER_WAIT, Platform
from tests.use_cases.privacy_jobs import ask_erasure, stores_of, time_for
from tests.use_cases.two_homes import TwoHomes, homes

__all__ = ["homes"]  # a fixture

MARK = "INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, %s, %s, %s)"
UNMARK = "DELETE FROM moved_organizations WHERE organization_id = %s"
SET_HOME = "UPDATE organization_homes SET database = 'second' WHERE organization_id = %s"
LIST_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
COPY_OUT = sql.SQL("COPY (SELECT {columns} FROM {table} WHERE {column} = {organization}) TO STDOUT")
COPY_IN = sql.SQL("COPY {table} ({columns}) FROM STDIN")
DELETE = sql.SQL("DELETE FROM {table} WHERE {column} = {organization}")
INSERT_RECORD = """
    INSERT INTO audit_log VALUES (gen_random_uuid(), %s, now(), 'key', %s, 'GET /v1/usage', 'header', 'refused',
                                  'tenant_mismatch', 1, 'r', sha256('x')) RETURNING id
"""
INSERT_PERSON = "INSERT INTO audit_people VALUES (%s, %s, %s, 'salt', '198.51.100.7')"
INSERT_REFUSAL = """
    INSERT INTO audit_refusals (id, organization_id, occurred_at, actor_kind, actor_id, action, target, code,
                                request_id, source_address)
    VALUES (gen_random_uuid(), %s, now(), 'key', %s, 'GET /v1/usage', 'header', 'tenant_mismatch', 'r', '198.51.100.7')
"""
LIST_PEOPLE = "SELECT actor_id FROM audit_people WHERE organization_id = %s"
LIST_ADDRESSED = "SELECT actor_id FROM audit_refusals WHERE organization_id = %s AND source_address <> ''"
DELETE_PEOPLE = "DELETE FROM audit_people"
DELETED_AT = datetime.now(UTC)
CLOSED_AT = DELETED_AT + GRACE
LATER = CLOSED_AT + WRITER_WAIT


@pytest.fixture
def acme(homes: TwoHomes, targets: OutboxTargets) -> Provisioned:
    return homes.provision(targets, "acme", "main")


@pytest.fixture
def globex(homes: TwoHomes, targets: OutboxTargets, acme: Provisioned) -> Provisioned:  # noqa: ARG001 - is first
    return homes.provision(targets, "globex", "main")


@pytest.fixture
def stores(homes: TwoHomes, platform: Platform) -> ErasureStores:
    domains = replace(platform.erasure_stores.domains, platform_db=homes.platform)
    return replace(platform.erasure_stores, platform_db=homes.platform, domains=domains)


class Move:
    """A move of an organization from the first database to the second one, without its replication."""

    def __init__(self, homes: TwoHomes, organization_id: UUID) -> None:
        self._homes = homes
        self._organization_id = organization_id
        self._id = uuid4()

    def begin(self) -> None:
        self._homes.execute(self._homes.second, MARK, self._organization_id, "incoming", "main", self._id)

    def copy(self) -> None:
        with self._superuser(self._homes.main) as source, self._superuser(self._homes.second) as target:
            target.execute("SET session_replication_role = replica")
            for table in list_tables(source):
                names = [sql.Identifier(name) for (name,) in source.execute(LIST_COLUMNS, (table.name,))]
                columns = sql.SQL(", ").join(names)
                out = self._statement(COPY_OUT, table, columns=columns)
                into = self._statement(COPY_IN, table, columns=columns)
                with source.cursor().copy(out) as rows, target.cursor().copy(into) as copied:
                    for part in rows:
                        copied.write(part)

    def commit(self) -> None:
        self._homes.execute(self._homes.main, MARK, self._organization_id, "moved", "second", self._id)

    def open(self) -> None:
        self._homes.execute(self._homes.second, UNMARK, self._organization_id)
        self._homes.execute(self._homes.main, SET_HOME, self._organization_id)

    def finish(self) -> None:
        with self._superuser(self._homes.main) as source:
            source.execute("SET session_replication_role = replica")
            for table in list_tables(source):
                source.execute(self._statement(DELETE, table))

    def _statement(self, statement: sql.SQL, table: Table, **parts: sql.Composable) -> sql.Composed:
        organization = sql.Literal(str(self._organization_id))
        return statement.format(
            table=sql.Identifier(table.name), column=sql.Identifier(table.column), organization=organization, **parts
        )

    @staticmethod
    def _superuser(database: Databases) -> psycopg.Connection:
        return psycopg.connect(database.servers.superuser_url, dbname=database.name, autocommit=True)


def close(stores: ErasureStores, targets: OutboxTargets, organization_id: UUID) -> None:
    """Delete the organization and place the tombstones of its erasure."""
    homes = stores.platform_db
    delete_organization(homes, targets, organization_id, "the end", OPERATOR, grace=GRACE, now=DELETED_AT)
    place_tombstones(stores, organization_id, 1, request_id="execution-1", now=CLOSED_AT)


def wait(stores: ErasureStores, organization_id: UUID) -> None:
    await_writers(stores, organization_id, 1, closed_at=CLOSED_AT, writer_wait=WRITER_WAIT, now=LATER)


def erase(stores: ErasureStores, platform: Platform, organization_id: UUID) -> Counts:
    for store in ERASABLE_STORES:
        erase_store(stores, organization_id, 1, store, now=LATER)
    return certify(stores, platform.signer, organization_id, 1, request_id="execution-1", now=LATER).left


@pytest.mark.parametrize("steps", ["begin", "begin copy", "begin copy commit", "begin copy commit open"])
def test_erasure_waits_for_an_unfinished_move(
    homes: TwoHomes, stores: ErasureStores, targets: OutboxTargets, acme: Provisioned, globex: Provisioned, steps: str
) -> None:
    organization_id = acme.organization.id
    move = Move(homes, organization_id)
    for each in (acme, globex):
        close(stores, targets, each.organization.id)
    for step in steps.split():
        getattr(move, step)()

    copy = "main" if "commit" in steps else "second"
    with pytest.raises(WritersActiveError, match=rf"have a copy: {copy}\. Run: python -m scripts\.move complete"):
        wait(stores, organization_id)
    wait(stores, globex.organization.id)


def test_erasure_goes_on_after_the_move_is_complete(
    homes: TwoHomes, stores: ErasureStores, platform: Platform, targets: OutboxTargets, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    move = Move(homes, organization_id)
    close(stores, targets, organization_id)
    for step in (move.begin, move.copy, move.commit, move.open, move.finish):
        step()

    wait(stores, organization_id)
    counts = erase(stores, platform, organization_id)

    assert not any(rows for found in counts.values() for rows in found.values())
    assert homes.execute(homes.second, "SELECT count(*) FROM users") == [(0,)]


def test_no_certificate_is_signed_while_a_copy_is_left(
    homes: TwoHomes, stores: ErasureStores, platform: Platform, targets: OutboxTargets, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    move = Move(homes, organization_id)
    close(stores, targets, organization_id)
    wait(stores, organization_id)
    move.begin()
    move.copy()

    with pytest.raises(WritersActiveError, match="second"):
        erase(stores, platform, organization_id)

    assert homes.execute(homes.main, "SELECT count(*) FROM deletion_certificates") == [(0,)]


def test_no_second_certificate_is_signed_while_a_copy_is_left(
    homes: TwoHomes, stores: ErasureStores, platform: Platform, targets: OutboxTargets, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    close(stores, targets, organization_id)
    erase(stores, platform, organization_id)
    Move(homes, organization_id).begin()

    with pytest.raises(WritersActiveError, match="second"):
        count_again(stores, platform.signer, organization_id, 1, now=LATER)

    assert homes.execute(homes.main, "SELECT count(*) FROM deletion_certificates") == [(1,)]


def log_mismatch(homes: TwoHomes, *organizations: Provisioned) -> None:
    """Write a record and a refusal of each one's key into the platform's log of the first database."""
    for each in organizations:
        [(record_id,)] = homes.execute(homes.main, INSERT_RECORD, PLATFORM_LOG, each.secret_key_id)
        homes.execute(homes.main, INSERT_PERSON, PLATFORM_LOG, record_id, each.secret_key_id)
        homes.execute(homes.main, INSERT_REFUSAL, PLATFORM_LOG, each.secret_key_id)


def test_erasure_deletes_addresses_from_the_log_of_a_former_home(
    homes: TwoHomes,
    stores: ErasureStores,
    platform: Platform,
    targets: OutboxTargets,
    acme: Provisioned,
    globex: Provisioned,
) -> None:
    organization_id = acme.organization.id
    move = Move(homes, organization_id)
    log_mismatch(homes, acme, globex)
    for step in (move.begin, move.copy, move.commit, move.open, move.finish):
        step()
    close(stores, targets, organization_id)

    erase(stores, platform, organization_id)

    for statement in (LIST_PEOPLE, LIST_ADDRESSED):
        assert homes.execute(homes.main, statement, PLATFORM_LOG) == [(globex.secret_key_id,)]


@pytest.mark.parametrize("steps", ["begin", "begin copy", "begin copy commit open"])
def test_erasure_of_a_subject_waits_for_an_unfinished_move(homes: TwoHomes, acme: Provisioned, steps: str) -> None:
    move, home = Move(homes, acme.organization.id), homes.main
    ask_erasure(homes.main, acme, "device", LATER)
    for step in steps.split():
        getattr(move, step)()
        home = homes.second if step == "open" else home
    jobs = replace(stores_of(home), homes=homes.platform)

    waiting = run_privacy_jobs(jobs, has_time=time_for(5), clock=lambda: LATER)

    assert (waiting.waiting, waiting.postponed, waiting.erasures) == (1, 0, 0)


def test_erasure_of_a_subject_goes_on_after_the_move(homes: TwoHomes, acme: Provisioned) -> None:
    move = Move(homes, acme.organization.id)
    ask_erasure(homes.main, acme, "device", LATER)
    for step in (move.begin, move.copy, move.commit, move.open, move.finish):
        step()
    jobs = replace(stores_of(homes.second), homes=homes.platform)

    done = run_privacy_jobs(jobs, has_time=time_for(5), clock=lambda: LATER)

    assert (done.waiting, done.postponed, done.erasures) == (0, 0, 1)


def test_erasure_of_a_subject_waits_for_each_database(homes: TwoHomes, acme: Provisioned) -> None:
    ask_erasure(homes.main, acme, "device", LATER)
    down = homes.without("second")
    jobs = replace(stores_of(homes.main), homes=down.platform)

    done = run_privacy_jobs(jobs, has_time=time_for(5), clock=lambda: LATER)

    assert (done.waiting, done.postponed, done.erasures) == (0, 1, 0)
    down.close()


@pytest.mark.parametrize(("state", "deleted"), [(None, 0), ("incoming", 0), ("moved", 2)])
def test_platform_log_is_open_to_a_former_organization_only(
    homes: TwoHomes, acme: Provisioned, globex: Provisioned, state: str | None, deleted: int
) -> None:
    log_mismatch(homes, acme, globex)
    if state is not None:
        homes.execute(homes.main, MARK, acme.organization.id, state, "second", uuid4())

    with homes.platform.catalogue.tenant_transaction(acme.organization.id, ignores_moves=True) as conn:
        assert conn.execute(DELETE_PEOPLE).rowcount == deleted
    with homes.platform.catalogue.transaction() as conn:
        assert conn.execute(DELETE_PEOPLE).rowcount == 0
