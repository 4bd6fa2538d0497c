"""The tasks of the state machine: what they return to it, and that no text of an error gets into its history."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenancy.gateway.task import TaskFailedError
from tenancy.stores.aws.secrets import CLICKHOUSE, REDIS
from tenancy.stores.clickhouse.platform.statistics import insert_daily_statistics
from tenancy.stores.postgres.platform.deletions import list_certificates
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.deletion.erase import EarlyError, OvertakenError, WritersActiveError
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import OPERATOR, ROOT, Databases, know, tenant_of
from tests.handlers.functions import Function, PutSecret, Start, superuser
from tests.handlers.requests import Event, sample
from tests.isolation.proof.leaks.snapshots import snapshot
from tests.use_cases.erasing import column_of
from tests.use_cases.storing import store

MACHINE = json.loads((ROOT / "functions" / "delete" / "delete_organization.asl.json").read_text())


@pytest.fixture
def erase(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("erase")


@pytest.fixture
def deleted(databases: Databases, targets: OutboxTargets, acme: Provisioned) -> Provisioned:
    """Return acme, deleted so long ago that its grace is over."""
    before = datetime.now(UTC) - timedelta(days=31)
    own, grace = acme.organization.id, timedelta(days=30)
    delete_organization(databases.platform, targets, own, "the end", OPERATOR, grace=grace, now=before)
    return acme


def task(name: str, made: Provisioned, **changes: object) -> Event:
    return {**sample("erase", name), "organization_id": str(made.organization.id), "generation": 1, **changes}


def walk(erase: Function, made: Provisioned) -> Iterator[tuple[str, Any]]:
    """Do what the state machine does, state by state, and yield what its tasks return."""
    state = "CloseGate"
    gate: dict[str, Any] = {}
    while state:
        definition = MACHINE["States"][state]
        if definition["Type"] == "Task":
            closed = {"closed_at": gate["closed_at"]} if "closed_at.$" in definition["Parameters"] else {}
            result = erase(task(definition["Parameters"]["task"], made, **closed))
            gate = result if state == "CloseGate" else gate
            yield state, result
        elif definition["Type"] == "Map":
            inner = definition["ItemProcessor"]["States"]["EraseStore"]["Parameters"]["task"]
            for store in gate["stores"]:
                yield f"{state}: {store}", erase(task(inner, made, store=store))
        state = definition.get("Next", "")


def test_the_machine_walks_to_a_certificate_and_a_second_count(erase: Function, deleted: Provisioned) -> None:
    results = dict(walk(erase, deleted))
    assert list(results)[:2] == ["CloseGate", "AwaitWriters"]
    assert list(results)[-2:] == ["Certify", "CountAgain"]
    assert [name for name in results if name.startswith("EraseStores")][-1] == "EraseStores: postgres"
    assert datetime.fromisoformat(results["CloseGate"]["closed_at"]) <= datetime.now(UTC)
    assert results["Certify"]["counts"]["postgres"]["users"] == 0
    assert datetime.fromisoformat(results["Certify"]["count_again_at"]) > datetime.now(UTC)
    assert results["CountAgain"]["counts"] == results["Certify"]["counts"]
    json.dumps(results)


def test_what_a_restored_database_has_brought_back_another_execution_erases(
    erase: Function, databases: Databases, counters: Redis, deleted: Provisioned
) -> None:
    """Its gate too is open again, and its super_admin is there: nobody is mailed a second time."""
    own, now = deleted.organization.id, datetime.now(UTC)
    dict(walk(erase, deleted))
    databases.clickhouse.command("TRUNCATE TABLE tombstones")
    for table in ("events", "held_events"):
        store(databases, own, range(3), at=now, table=table, reason="quota" if table == "held_events" else "")
    insert_daily_statistics(databases.clickhouse, since=now - timedelta(hours=1), run=now)
    know(counters, tenant_of(deleted))
    with superuser(databases) as conn:
        conn.execute("DELETE FROM outbox")
        conn.execute("UPDATE deletion_certificates SET issued_at = issued_at - interval '2 days'")
        values = (deleted.admin_user_id, own, "back@acme.example", "super_admin")
        conn.execute("INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, %s)", values)
    results = dict(walk(erase, deleted))
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


def test_what_the_machine_knows_by_name_it_gets_by_name(
    erase: Function, start: Start, deleted: Provisioned, globex: Provisioned
) -> None:
    with pytest.raises(OvertakenError):
        erase(task("close_gate", globex))
    with pytest.raises(OvertakenError):
        erase(task("close_gate", deleted, generation=2))
    waiting = start("erase", ERASURE_QUIET_SECONDS="3600")
    gate = waiting(task("close_gate", deleted))
    with pytest.raises(WritersActiveError):
        waiting(task("await_writers", deleted, closed_at=gate["closed_at"]))


def test_a_deletion_within_its_grace_is_early(
    erase: Function, databases: Databases, targets: OutboxTargets, acme: Provisioned
) -> None:
    own, grace = acme.organization.id, timedelta(days=30)
    now = datetime.now(UTC)
    delete_organization(databases.platform, targets, own, "the end", OPERATOR, grace=grace, now=now)
    with pytest.raises(EarlyError):
        erase(task("close_gate", acme))


def test_the_text_of_a_drivers_error_stays_out_of_the_history(
    erase: Function, databases: Databases, deleted: Provisioned
) -> None:
    erase(task("close_gate", deleted))
    with superuser(databases) as conn:
        conn.execute(
            "CREATE FUNCTION quote() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RAISE EXCEPTION ''the row was %', OLD.email; END'".replace("%'", "%''")
        )
        conn.execute("CREATE TRIGGER quote BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION quote()")
    with pytest.raises(TaskFailedError) as failed:
        erase(task("erase_store", deleted, store="postgres"))
    assert str(failed.value) == "RaiseException"
    assert failed.value.__cause__ is failed.value.__context__ is None


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(("secret", "url"), [(CLICKHOUSE, "http://{}/default"), (REDIS, "redis://{}/0")])
def test_a_store_that_is_away_fails_the_task_which_is_tried_again(
    start: Start, put_secret: PutSecret, deleted: Provisioned, nowhere: str, secret: str, url: str
) -> None:
    put_secret(secret, url.format(nowhere))
    with pytest.raises(TaskFailedError, match="UnavailableError"):
        start("erase")(task("close_gate", deleted))


def test_a_task_that_there_is_not_fails(erase: Function, deleted: Provisioned) -> None:
    with pytest.raises(TaskFailedError, match="KeyError"):
        erase(task("close_gate", deleted, task="forgive"))
