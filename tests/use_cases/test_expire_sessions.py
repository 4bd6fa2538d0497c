"""Expired and ended sessions are deleted, and no others."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tenancy.rules.durations import ONE_DAY, SESSION_IDLE_TIME, SUCCESSOR_RETENTION
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.sweep import sweep
from tenancy.use_cases.sessions.end_sessions import log_out
from tenancy.use_cases.sessions.expire_sessions import expire_sessions, forget_successors
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.session_requests import SECOND, People, rows, session_of

TODAY = datetime.now(UTC)  # the policies of the database have the real time
LONG_AGO = TODAY - SESSION_IDLE_TIME - timedelta(days=1)
SESSIONS = "SELECT id FROM sessions"
WITH_SUCCESSOR = "SELECT organization_id FROM refresh_tokens WHERE successor IS NOT NULL"


def test_expired_session_is_deleted_with_its_tokens(people: People, acme: Provisioned, globex: Provisioned) -> None:
    people.refresh(people.log_in_admin(acme, now=LONG_AGO).refresh_token, now=LONG_AGO)
    live = [session_of(people.log_in_admin(each, now=TODAY)) for each in (acme, globex)]
    people.log_in_admin(globex, now=LONG_AGO)

    deleted = expire_sessions(people.databases.platform, now=TODAY, has_time=lambda: True)

    assert deleted == 2
    assert {row[0] for row in rows(people.databases, SESSIONS)} == set(live)
    assert len(rows(people.databases, "SELECT FROM refresh_tokens")) == 2


def test_ended_session_is_deleted(people: People, acme: Provisioned) -> None:
    tokens = people.log_in_admin(acme, now=TODAY)
    log_out(people.databases.platform, tokens.refresh_token.text, request_id="r", source_address="", now=TODAY)

    expire_sessions(people.databases.platform, now=datetime.now(UTC), has_time=lambda: True)

    assert rows(people.databases, SESSIONS) == []


def test_no_session_is_deleted_without_time(people: People, acme: Provisioned) -> None:
    people.log_in_admin(acme, now=LONG_AGO)

    assert expire_sessions(people.databases.platform, now=TODAY, has_time=lambda: False) == 0

    assert len(rows(people.databases, SESSIONS)) == 1


def test_sweep_deletes_expired_sessions(people: People, acme: Provisioned) -> None:
    people.log_in_admin(acme, now=LONG_AGO)

    run = sweep(people.databases.platform, people.redis, people.targets, now=TODAY)

    assert run is not None
    assert (run.sessions_deleted, run.failures) == (1, [])


def test_sweep_forgets_successors_of_all(people: People, acme: Provisioned, globex: Provisioned) -> None:
    used_at = TODAY - SUCCESSOR_RETENTION - SECOND
    for each in (acme, globex):
        people.refresh(people.log_in_admin(each, now=used_at).refresh_token, now=used_at)
    people.refresh(people.log_in_admin(acme, now=TODAY).refresh_token, now=TODAY)

    run = sweep(people.databases.platform, people.redis, people.targets, now=TODAY)

    assert run is not None
    assert (run.successors_deleted, run.failures) == (2, [])
    assert rows(people.databases, WITH_SUCCESSOR) == [(acme.organization.id,)]


def test_sweep_waits_for_no_refresh(people: People, acme: Provisioned) -> None:
    people.refresh(people.log_in_admin(acme, now=LONG_AGO).refresh_token, now=LONG_AGO)

    with superuser(people.databases) as conn, conn.transaction():
        conn.execute("SELECT FROM refresh_tokens FOR NO KEY UPDATE")
        deleted = forget_successors(people.databases.platform, now=TODAY, has_time=lambda: True)

    assert deleted == 0


def test_tenant_transaction_sees_no_successor_of_others(
    people: People, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    people.refresh(people.log_in_admin(acme, now=LONG_AGO).refresh_token, now=LONG_AGO)

    with databases.platform.tenant_transaction(globex.organization.id) as conn:
        seen = conn.execute("SELECT FROM refresh_tokens").rowcount

    assert seen == 0


def test_sweep_sees_only_old_successors_of_all(databases: Databases, people: People, acme: Provisioned) -> None:
    for used_at in (TODAY + ONE_DAY, LONG_AGO):
        people.refresh(people.log_in_admin(acme, now=used_at).refresh_token, now=used_at)

    with databases.platform.transaction() as conn:
        seen = conn.execute("SELECT used_at FROM refresh_tokens").fetchall()

    assert seen == [(LONG_AGO,)]


def test_database_keeps_live_sessions(databases: Databases, people: People, acme: Provisioned) -> None:
    people.log_in_admin(acme, now=TODAY)

    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        deleted = conn.execute("DELETE FROM sessions").rowcount + conn.execute("DELETE FROM refresh_tokens").rowcount

    assert deleted == 0


def test_sweep_sees_only_expired_sessions_of_all(databases: Databases, people: People, acme: Provisioned) -> None:
    people.log_in_admin(acme, now=TODAY)
    expired = session_of(people.log_in_admin(acme, now=LONG_AGO))

    with databases.platform.transaction() as conn:
        found = conn.execute(SESSIONS).fetchall()

    assert found == [(expired,)]


def test_functions_cannot_read_refresh_tokens(databases: Databases, acme: Provisioned) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.functions.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute("SELECT FROM refresh_tokens")
