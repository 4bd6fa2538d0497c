"""After an erasure the canaries of one organization are gone from every place, and those of the others sit in theirs.

Every table, key and object is discovered: what an erasure forgets is found by the canary in it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import boto3
import pytest

from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.platform.organization_rows import KEPT
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.outbox.effects import World, drain
from tests.given import OPERATOR, REGION, Databases
from tests.handlers.functions import Start, superuser
from tests.isolation.proof.attack.gateway import Gateway, Request
from tests.isolation.proof.canaries import Place
from tests.isolation.proof.discovery.deployment import is_bucket, variables_of
from tests.isolation.proof.discovery.tables import discover_clickhouse_tables, redis_keys
from tests.isolation.proof.leaks.buckets import objects_in
from tests.isolation.proof.leaks.output import Output, wrong_in
from tests.isolation.proof.leaks.postgres_files import texts_after_vacuum
from tests.isolation.proof.proof_data import Neighbours

LIST_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
# What is kept of an erased organization has ids and times; here canaries are planted in it.
PLANTED_IN_KEPT = KEPT - {"organizations"}

# Longer than a page's row may be: it is stored beside the table.
LENGTHEN = """
    ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
    UPDATE outbox SET payload = jsonb_build_object('canary', payload, 'rest', repeat('x', 10000));
"""

type Canary = tuple[str, Place]


def in_postgres(databases: Databases, neighbours: Neighbours) -> set[Canary]:
    """Return every canary in a live row, with the table."""
    with superuser(databases) as conn:
        tables = [name for (name,) in conn.execute(LIST_TABLES)]
        rows = {table: conn.execute(f"SELECT t::text FROM {table} AS t".encode()).fetchall() for table in tables}
    return {
        (f"PostgreSQL {table}", place)
        for table, found in rows.items()
        for (row,) in found
        for place in neighbours.canaries.found_in(row)
    }


def in_files(databases: Databases, neighbours: Neighbours) -> set[Canary]:
    """Return every canary in PostgreSQL's files and statistics after VACUUM, with the place."""
    with superuser(databases) as conn:
        return {
            (where, place)
            for where, text in texts_after_vacuum(conn, but=PLANTED_IN_KEPT)
            for place in neighbours.canaries.found_in(text)
        }


def in_clickhouse(databases: Databases, neighbours: Neighbours) -> set[Canary]:
    """Return every canary in an active part, hidden rows included, with the table."""
    found = set()
    for table in discover_clickhouse_tables(databases):
        columns = ", ".join(f"toString({each.name})" for each in table.columns if "Agg" not in each.type)
        statement = f"SELECT concat_ws('|', {columns}) FROM {table.name}"
        rows = databases.clickhouse.query(statement, settings={"apply_deleted_mask": 0}).result_rows
        found |= {(f"ClickHouse {table.name}", place) for (row,) in rows for place in neighbours.canaries.found_in(row)}
    return found


def elsewhere(databases: Databases, neighbours: Neighbours, made: Mapping[str, str]) -> set[Canary]:
    """Return every canary in Redis, in S3 and in executions, with the place."""
    texts = {f"Redis {key}": f"{key} {held}" for key, held in redis_keys(databases).items()}
    texts |= {f"S3 {key}": text for key, text in objects_in(made).items()}
    client: Any = boto3.client("stepfunctions", region_name=REGION)
    for machine in client.list_state_machines()["stateMachines"]:
        for each in client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
            texts[f"execution {each['name']}"] = client.describe_execution(executionArn=each["executionArn"])["input"]
    return {(where, place) for where, text in texts.items() for place in neighbours.canaries.found_in(text)}


def ids_in_redis(databases: Databases, organization_id: UUID) -> list[str]:
    return [key for key, held in redis_keys(databases).items() if str(organization_id) in f"{key} {held}"]


@pytest.fixture
def used(databases: Databases, gateway: Gateway, neighbours: Neighbours, made: Mapping[str, str]) -> Neighbours:
    """Let every organization leave something in Redis and in S3 as well, and no mail to what is planted."""
    [bucket] = [value for name, value in made.items() if is_bucket(name)]
    [usage] = [route for route in gateway.routes if route.name == "GET /usage"]
    for own in neighbours.organizations:
        key = neighbours.find("secret key", own.organization_id)
        headers = (("Authorization", str(key.authorization)),)
        assert gateway(Request(route=usage, parameters={}, headers=headers)).is_success
        assert ids_in_redis(databases, own.organization_id)
        canary = neighbours.canaries.new(own.organization_id, "S3")
        Exports(REGION, bucket, path_style=True).put(own.organization_id, "1/events.jsonl", canary.encode())
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET last_contact = NULL, status_before_deletion = NULL")
        conn.execute("UPDATE exports SET due_at = NULL")
        conn.execute(LENGTHEN)
        conn.execute("UPDATE users SET email = id::text || '@x.example' WHERE role = 'super_admin'")
    return neighbours


def test_nothing_of_an_erased_organization_is_left_but_its_tombstone(
    databases: Databases,
    world: World,
    used: Neighbours,
    start: Start,
    made: dict[str, str],
    output: Output,
) -> None:
    erased, *others = (each.organization_id for each in used.organizations)

    def everywhere() -> set[Canary]:
        return in_postgres(databases, used) | in_clickhouse(databases, used) | elsewhere(databases, used, made)

    before = everywhere()
    files = {where for where, place in in_files(databases, used) if place.organization_id == erased}
    assert {where.split()[0] for where in files} == {"heap", "TOAST", "index"}  # and no statistics
    own = {canary for canary in before if canary[1].organization_id == erased}
    assert {where.split()[0] for where, _ in own} == {"PostgreSQL", "ClickHouse", "S3"}

    now = datetime.now(UTC)
    delete_organization(databases.platform, world, erased, "the end", OPERATOR, grace=timedelta(0), now=now)
    erase = start("erase", **variables_of("erase", made))
    event = {"execution": f"{erased}-1-1", "organization_id": str(erased), "generation": 1}
    output.take()
    gate = erase({**event, "task": "close_gate"})
    erase({**event, "task": "await_writers", "closed_at": gate["closed_at"]})
    for store in gate["stores"]:
        erase({**event, "task": "erase_store", "store": store})
    erase({**event, "task": "certify"})
    drain(databases.platform, world, now=datetime.now(UTC), organization_id=erased)  # the last mail

    left = everywhere()
    places = {where for where, place in left if place.organization_id == erased}
    assert places <= {f"PostgreSQL {table}" for table in PLANTED_IN_KEPT}
    assert ids_in_redis(databases, erased) == []
    assert {canary for canary in left if canary[1].organization_id in others} == {
        canary for canary in before if canary[1].organization_id in others
    }
    assert [where for where, place in in_files(databases, used) if place.organization_id == erased] == []
    assert wrong_in(output.take(), used.canaries, {erased}) == []
