"""If an organization moves while a schedule runs, each step goes on with the others.

A schedule lists organizations, and then works for each. The test stops between the two: a mark says that acme has
moved, and statements that cross organizations still show it.
"""

import ast
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import tenancy.use_cases
from tenancy.rules.durations import DEAD_LETTER_RETENTION, SESSION_IDLE_TIME
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.domain_executions import DomainExecutions
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.hourly import HourlyStores, run_hourly
from tenancy.use_cases.schedule.privacy_jobs import run_privacy_jobs
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.registers import new_register
from tests.use_cases.admitting import Admit
from tests.use_cases.audit_records import LONG_AGO, read, write
from tests.use_cases.dead_letters import drain, message
from tests.use_cases.erasing import domain_stores
from tests.use_cases.privacy_jobs import ask_erasure, ask_export, stores_of, time_for
from tests.use_cases.session_requests import People
from tests.use_cases.storing import store

NOW = datetime.now(UTC)  # policies of the database have the real time
HOUR = timedelta(hours=1)
FOLDER = Path(tenancy.use_cases.__path__[0])
# These work for one organization, which their caller names, or with one database only.
OTHERS = {"replicas.read_nearest", "restore.erase_subjects_again", "dead_letters.redrive"}
MARK = "INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, 'moved', 'second', %s)"
SHOW_MOVED = """
    DO $$
    DECLARE
        name regclass;
    BEGIN
        FOR name IN SELECT polrelid FROM pg_policy WHERE polname = 'home' LOOP
            EXECUTE format('ALTER POLICY home ON %s USING (true)', name);
        END LOOP;
    END
    $$
"""
DUE_WORK = (
    "INSERT INTO quota_notices VALUES (%s, 'events', now(), 80, 80, 100, now(), NULL)",
    "INSERT INTO proven_email_domains VALUES (%s, 'acme.example', now() - interval '1 hour')",
    "INSERT INTO listed_custom_domains VALUES (%s, 'checked.example', true, false, now() - interval '1 hour', NULL)",
    "INSERT INTO listed_custom_domains VALUES (%s, 'worked.example', false, false, NULL, now() - interval '1 hour')",
    "UPDATE api_keys SET created_at = now() - interval '1 year' WHERE organization_id = %s",
)


class WatchedDatabase(Database):
    """The database of *databases* as the platform's role.

    It notes the modules that begin transactions of *acme*.
    """

    def __init__(self, databases: Databases, acme: UUID) -> None:
        super().__init__(databases.platform._url)
        self._acme = acme
        self.modules: set[str] = set()

    def tenant_transaction(  # type: ignore[override]
        self,
        organization_id: UUID,
        **options: Any,  # noqa: ANN401
    ) -> AbstractContextManager[Connection]:
        if organization_id == self._acme:
            self.modules.add(sys._getframe(1).f_globals["__name__"].removeprefix("tenancy.use_cases."))
        return super().tenant_transaction(organization_id, **options)


def working_modules() -> set[str]:
    """Return the modules whose functions begin an organization's transactions in one database."""
    found = set()
    for file in FOLDER.rglob("*.py"):
        text = file.read_text()
        gets_database = any(
            isinstance(node, ast.arg | ast.AnnAssign) and node.annotation and ast.unparse(node.annotation) == "Database"
            for node in ast.walk(ast.parse(text))
        )
        if gets_database and ".tenant_transaction(" in text:
            found.add(".".join(file.relative_to(FOLDER).with_suffix("").parts))
    return found - OTHERS


def give_work(people: People, admit: Admit, provisioned: Provisioned) -> None:
    """Give each step work for the organization."""
    databases, organization_id = people.databases, provisioned.organization.id
    tokens = people.log_in_admin(provisioned, now=NOW - SESSION_IDLE_TIME - HOUR)
    people.refresh(tokens.refresh_token, now=NOW - SESSION_IDLE_TIME - HOUR)
    admit(tenant_of(provisioned), now=NOW)
    write(databases, organization_id, *(read(number, occurred_at=LONG_AGO) for number in range(2)))
    store(databases, organization_id, range(3), at=NOW - 2 * HOUR, table="held_events", reason="quota")
    drain(databases, message(organization_id, "old", received_at=NOW - DEAD_LETTER_RETENTION), now=NOW - HOUR)
    ask_erasure(databases, provisioned, "device", NOW - HOUR)
    ask_export(databases, provisioned, NOW - HOUR)
    enqueue(databases, organization_id, due_at=NOW - HOUR)
    with superuser(databases) as conn:
        for statement in DUE_WORK:
            conn.execute(statement.encode(), (organization_id,))


def enqueue(databases: Databases, organization_id: UUID, *, due_at: datetime) -> None:
    with databases.platform.tenant_transaction(organization_id) as conn:
        insert_outbox_entry(conn, organization_id, "quota_event", {"metric": "events"}, due_at=due_at)


@contextmanager
def moved(databases: Databases, organization_id: UUID) -> Iterator[WatchedDatabase]:
    with superuser(databases) as conn:
        conn.execute(MARK, (organization_id, uuid4()))
        conn.execute(SHOW_MOVED)
    with closing(WatchedDatabase(databases, organization_id)) as database:
        yield database


@pytest.mark.usefixtures("cheap_hashes")
def test_schedules_go_on_with_the_others(
    people: People, admit: Admit, acme: Provisioned, globex: Provisioned, aws: AwsAccount, signer: Signer
) -> None:
    databases, redis = people.databases, people.redis
    give_work(people, admit, acme)
    enqueue(databases, globex.organization.id, due_at=NOW - HOUR / 2)
    has_time = time_for(100)
    with (
        closing(AwsClient("states", REGION, aws.endpoint_url)) as states,
        closing(AwsClient("lambda", REGION, aws.endpoint_url)) as functions,
        moved(databases, acme.organization.id) as database,
    ):
        targets = replace(people.targets, domain_executions=DomainExecutions(states, aws.state_machine_arn))
        swept = sweep(database, redis, targets, now=NOW, has_time=lambda _: has_time())
        hourly = run_hourly(
            HourlyStores(
                platform_db=database,
                client=lambda: databases.clickhouse,
                redis=redis,
                signer=signer,
                register=new_register(),
                fetcher=Fetcher(functions, "fetch"),
                find_certificates=lambda: domain_stores(databases).certificates,
            ),
            now=NOW,
            on_roll_up=lambda *_: None,
            has_time=lambda: True,
        )
        jobs = run_privacy_jobs(
            replace(stores_of(databases), platform_db=database), has_time=time_for(20), clock=lambda: NOW
        )

    assert swept is not None
    assert (swept.failures, swept.outbox.done, hourly.failures) == ([], ("quota_event",), [])
    assert (jobs.postponed, jobs.causes) == (0, [])
    assert database.modules >= working_modules()
