"""Tasks of the state machine: their results, and errors without any text of a driver."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.stack import postgres
from tenancy.gateway.task import TaskFailedError
from tenancy.stores.aws.secrets import CLICKHOUSE, PLATFORM_DATABASE, REDIS
from tenancy.stores.clickhouse.platform.statistics import insert_daily_statistics
from tenancy.stores.postgres.platform.deletions import list_certificates
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.deletion.erase import EarlyError, OvertakenError, WritersActiveError
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.database_pool import DatabasePool
from tests.given import OPERATOR, ROOT, Databases, know, tenant_of
from tests.handlers.functions import Function, LogLines, PutSecret, Start, superuser
from tests.handlers.requests import Event, sample
from tests.isolation.proof.leaks.snapshots import snapshot
from tests.use_cases.erasing import column_of
from tests.use_cases.storing import store

RECOUNT_AFTER = timedelta(seconds=60)  # RECOUNT_AFTER_SECONDS of conftest.py
INSERT_INCOMING = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id)
    VALUES (%s, 'incoming', 'main', gen_random_uuid())
"""
MACHINE = json.loads((ROOT / "functions" / "delete" / "delete_organization.asl.json").read_text())


@pytest.fixture
def erase(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("erase")


@pytest.fixture
def deleted(databases: Databases, targets: OutboxTargets, acme: Provisioned) -> Provisioned:
    """Return acme, whose deletion is older than its grace period."""
    before = datetime.now(UTC) - timedelta(days=31)
    own, grace = acme.organization.id, timedelta(days=30)
    delete_organization(databases.platform, targets, own, "the end", OPERATOR, grace=grace, now=before)
    return acme


def task_input(name: str, provisioned: Provisioned, **changes: object) -> Event:
    return {**sample("erase", name), "organization_id": str(provisioned.organization.id), "generation": 1, **changes}


def run_state_machine(erase: Function, provisioned: Provisioned) -> Iterator[tuple[str, Any]]:
    """Run the tasks in the order of the state machine, and yield each state with its result."""
    state = "CloseGate"
    gate: dict[str, Any] = {}
    while state:
        definition = MACHINE["States"][state]
        if definition["Type"] == "Task":
            closed = {"closed_at": gate["closed_at"]} if "closed_at.$" in definition["Parameters"] else {}
            result = erase(task_input(definition["Parameters"]["task"], provisioned, **closed))
            gate = result if state == "CloseGate" else gate
            yield state, result
        elif definition["Type"] == "Map":
            inner = definition["ItemProcessor"]["States"]["EraseStore"]["Parameters"]["task"]
            for store in gate["stores"]:
                yield f"{state}: {store}", erase(task_input(inner, provisioned, store=store))
        state = definition.get("Next", "")


def test_state_machine_ends_with_a_certificate_and_a_recount(erase: Function, deleted: Provisioned) -> None:
    began_at = datetime.now(UTC)

    results = dict(run_state_machine(erase, deleted))

    assert list(results)[:2] == ["CloseGate", "AwaitWriters"]
    assert list(results)[-2:] == ["Certify", "CountAgain"]
    assert [name for name in results if name.startswith("EraseStores")][-1] == "EraseStores: postgres"
    assert datetime.fromisoformat(results["CloseGate"]["closed_at"]) <= datetime.now(UTC)
    assert results["Certify"]["counts"]["postgres"]["users"] == 0
    assert datetime.fromisoformat(results["Certify"]["count_again_at"]) >= began_at + RECOUNT_AFTER
    assert results["CountAgain"]["counts"] == results["Certify"]["counts"]
    assert json.dumps(results)


def test_second_execution_erases_restored_data(
    erase: Function, databases: Databases, counters: Redis, deleted: Provisioned
) -> None:
    """The restored data have no tombstone. Their administrator is not mailed again."""
    own, now = deleted.organization.id, datetime.now(UTC)
    dict(run_state_machine(erase, deleted))
    databases.clickhouse.command("TRUNCATE TABLE tombstones")
    store(databases, own, range(3), at=now)
    store(databases, own, range(3), at=now, table="held_events", reason="quota")
    insert_daily_statistics(databases.clickhouse, since=now - timedelta(hours=1), run=now)
    know(counters, tenant_of(deleted))
    with superuser(databases) as conn:
        conn.execute("DELETE FROM outbox")
        conn.execute("UPDATE deletion_certificates SET issued_at = issued_at - interval '2 days'")
        values = (deleted.admin_user_id, own, "back@acme.example", "super_admin")
        conn.execute("INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, %s)", values)

    results = dict(run_state_machine(erase, deleted))
    left = {name for name, rows in snapshot(databases, own).items() if rows}

    assert left == {
        "PostgreSQL organizations", "PostgreSQL deletion_certificates", "PostgreSQL audit_log", "ClickHouse tombstones",
    }  # fmt: skip
    assert column_of(databases, own)["last_contact"] is None
    assert not any(rows for found in results["Certify"]["counts"].values() for rows in found.values())

    with databases.platform.transaction() as conn:
        first, _, last = list_certificates(conn, own)
    erased, again = json.loads(first.text), json.loads(last.text)
    assert again["erased_at"] == erased["erased_at"]
    assert min(each["by"] for each in again["ages_out"]) > again["counted_at"]


def test_errors_have_the_names_that_the_state_machine_catches(
    erase: Function, start: Start, deleted: Provisioned, globex: Provisioned
) -> None:
    with pytest.raises(OvertakenError):
        erase(task_input("close_gate", globex))

    with pytest.raises(OvertakenError):
        erase(task_input("close_gate", deleted, generation=2))

    waiting = start("erase", ERASURE_QUIET_SECONDS="3600")
    gate = waiting(task_input("close_gate", deleted))
    with pytest.raises(WritersActiveError):
        waiting(task_input("await_writers", deleted, closed_at=gate["closed_at"]))


def test_log_tells_the_operator_to_complete_a_move(
    start: Start,
    secrets: None,  # noqa: ARG001 - they name one database, before this test names two
    put_secret: PutSecret,
    database_pool: DatabasePool,
    databases: Databases,
    deleted: Provisioned,
    logged: LogLines,
) -> None:
    second = database_pool.take()
    urls = [each.servers.postgres_url(postgres.PLATFORM, each.name) for each in (databases, second)]
    put_secret(PLATFORM_DATABASE, f"main {urls[0]}\nsecond {urls[1]}")
    waiting = start("erase")
    gate = waiting(task_input("close_gate", deleted))
    with superuser(second) as conn:
        conn.execute(INSERT_INCOMING, (deleted.organization.id,))

    with pytest.raises(WritersActiveError):
        waiting(task_input("await_writers", deleted, closed_at=gate["closed_at"]))

    [line] = [each for each in logged() if each["message"] == "the erasure waits"]
    assert line["organization_id"] == str(deleted.organization.id)
    assert line["reason"].endswith("These databases have a copy: second. Run: python -m scripts.move complete")
    database_pool.give_back(second)


def test_deletion_within_its_grace_period_is_early(
    erase: Function, databases: Databases, targets: OutboxTargets, acme: Provisioned
) -> None:
    own, grace = acme.organization.id, timedelta(days=30)
    now = datetime.now(UTC)
    delete_organization(databases.platform, targets, own, "the end", OPERATOR, grace=grace, now=now)

    with pytest.raises(EarlyError):
        erase(task_input("close_gate", acme))


def test_failed_task_shows_no_text_of_a_driver_error(
    erase: Function, databases: Databases, deleted: Provisioned
) -> None:
    erase(task_input("close_gate", deleted))
    with superuser(databases) as conn:
        conn.execute(
            "CREATE FUNCTION quote() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RAISE EXCEPTION ''the row was %', OLD.email; END'".replace("%'", "%''")
        )
        conn.execute("CREATE TRIGGER quote BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION quote()")

    with pytest.raises(TaskFailedError) as failed:
        erase(task_input("erase_store", deleted, store="postgres"))

    assert str(failed.value) == "RaiseException"
    assert failed.value.__cause__ is failed.value.__context__ is None


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(("secret", "url"), [(CLICKHOUSE, "http://{}/default"), (REDIS, "redis://{}/0")])
def test_task_fails_if_a_store_is_unreachable(
    start: Start, put_secret: PutSecret, deleted: Provisioned, nowhere: str, secret: str, url: str
) -> None:
    put_secret(secret, url.format(nowhere))
    with pytest.raises(TaskFailedError, match="UnavailableError"):
        start("erase")(task_input("close_gate", deleted))


def test_unknown_task_fails(erase: Function, deleted: Provisioned) -> None:
    with pytest.raises(TaskFailedError, match="KeyError"):
        erase(task_input("close_gate", deleted, task="forgive"))
