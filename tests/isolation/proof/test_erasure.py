"""An erasure removes the canaries of one organization only, from every store.

Tables, keys and objects are discovered. So a place that an erasure forgets is found by its canary.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import boto3
import pytest

from tenancy.stores.aws.objects import Objects
from tenancy.stores.postgres.platform.organization_rows import KEPT
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.given import OPERATOR, REGION, Databases
from tests.handlers.functions import Function, Start, superuser
from tests.isolation.proof.attack.gateway import GatewayRequest, LocalGateway
from tests.isolation.proof.canaries import CanaryLocation
from tests.isolation.proof.discovery.deployment import environment_of, is_bucket
from tests.isolation.proof.discovery.tables import discover_clickhouse_tables
from tests.isolation.proof.leaks.buckets import objects_in
from tests.isolation.proof.leaks.output import CapturedOutput, leaks_in_output
from tests.isolation.proof.leaks.postgres_files import texts_after_vacuum
from tests.isolation.proof.leaks.snapshots import redis_keys
from tests.isolation.proof.proof_data import ProofData

LIST_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
# An erasure keeps ids and times in these tables; the proof has planted canaries in them.
KEPT_WITH_CANARIES = KEPT - {"organizations"}
# Longer than a row in a page may be, so that PostgreSQL stores it in the TOAST table.
LENGTHEN_PAYLOADS = """
    ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
    UPDATE outbox SET payload = jsonb_build_object('canary', payload, 'rest', repeat('x', 10000));
"""

type Found = set[tuple[str, CanaryLocation]]  # the place, and the canary's location


@pytest.fixture
def used_data(databases: Databases, gateway: LocalGateway, data: ProofData, resources: Mapping[str, str]) -> ProofData:
    """Give every organization data in Redis and S3 as well, and only addresses that take mail."""
    buckets = _buckets_of_tenants(resources)
    [usage] = [route for route in gateway.routes if route.name == "GET /usage"]
    for own in data.organizations:
        key = data.credential("secret key", own.organization_id)
        headers = (("Authorization", str(key.authorization)),)
        assert gateway.send(GatewayRequest(route=usage, headers=headers)).is_success
        assert _redis_keys_of(databases, own.organization_id)
        for bucket in buckets:
            canary = data.canaries.create(own.organization_id, f"S3 {bucket}")
            Objects(REGION, bucket, path_style=True).put(own.organization_id, "1/events.jsonl", canary.encode())
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET last_contact = NULL, status_before_deletion = NULL")
        conn.execute("UPDATE exports SET due_at = NULL")
        conn.execute(LENGTHEN_PAYLOADS)
        conn.execute("UPDATE users SET email = id::text || '@x.example' WHERE role = 'super_admin'")
    return data


def test_erasure_removes_every_canary(
    databases: Databases,
    targets: OutboxTargets,
    used_data: ProofData,
    start: Start,
    resources: dict[str, str],
    output: CapturedOutput,
) -> None:
    erased = used_data.organizations[0].organization_id
    before = _find_everywhere(databases, used_data, resources)
    assert _stores(_of(before, erased)) == {"PostgreSQL", "ClickHouse", "S3"}
    assert _buckets(_of(before, erased)) == set(_buckets_of_tenants(resources))
    assert _stores(_of(_find_in_files(databases, used_data), erased)) == {"heap", "TOAST", "index"}

    delete_organization(
        databases.platform, targets, erased, "the end", OPERATOR, grace=timedelta(0), now=datetime.now(UTC)
    )
    output.take_lines()
    _run_erasure(start("erase", **environment_of("erase", resources)), erased)
    run_due_entries(databases.platform, targets, now=datetime.now(UTC), organization_id=erased)  # sends the last mail

    after = _find_everywhere(databases, used_data, resources)
    assert {place for place, _ in _of(after, erased)} <= {f"PostgreSQL {table}" for table in KEPT_WITH_CANARIES}
    assert after - _of(after, erased) == before - _of(before, erased)
    assert _of(_find_in_files(databases, used_data), erased) == set()
    assert _redis_keys_of(databases, erased) == []
    assert leaks_in_output(output.take_lines(), used_data.canaries, [erased]) == []


def _buckets_of_tenants(resources: dict[str, str]) -> list[str]:
    """Return all buckets but the register. It has digests alone, and must outlive the erasure."""
    return [reference for name, reference in resources.items() if is_bucket(name) and name != "RegisterBucket"]


def _run_erasure(erase: Function, organization_id: UUID) -> None:
    """Run the tasks of the state machine."""
    event = {"execution": f"{organization_id}-1-1", "organization_id": str(organization_id), "generation": 1}
    closed = erase({**event, "task": "close_gate"})
    erase({**event, "task": "await_writers", "closed_at": closed["closed_at"]})
    for store in closed["stores"]:
        erase({**event, "task": "erase_store", "store": store})
    erase({**event, "task": "certify"})


def _of(found: Found, organization_id: UUID) -> Found:
    return {(place, location) for place, location in found if location.organization_id == organization_id}


def _stores(found: Found) -> set[str]:
    """Return the first words of the places."""
    return {place.split()[0] for place, _ in found}


def _buckets(found: Found) -> set[str]:
    """Return the buckets in which a canary was found."""
    return {place.split()[1].partition("/")[0] for place, _ in found if place.startswith("S3 ")}


def _find_everywhere(databases: Databases, data: ProofData, resources: Mapping[str, str]) -> Found:
    return (
        _find_in_postgres(databases, data)
        | _find_in_clickhouse(databases, data)
        | _find_elsewhere(databases, data, resources)
    )


def _find_in_postgres(databases: Databases, data: ProofData) -> Found:
    """Find the canaries in visible rows."""
    with superuser(databases) as conn:
        tables = [name for (name,) in conn.execute(LIST_TABLES)]
        rows = {table: conn.execute(f"SELECT t::text FROM {table} AS t".encode()).fetchall() for table in tables}
    return {
        (f"PostgreSQL {table}", location)
        for table, found in rows.items()
        for (row,) in found
        for location in data.canaries.locations_in(row)
    }


def _find_in_files(databases: Databases, data: ProofData) -> Found:
    """Find the canaries in PostgreSQL's files and statistics after VACUUM."""
    with superuser(databases) as conn:
        return {
            (place, location)
            for place, text in texts_after_vacuum(conn, excluded=KEPT_WITH_CANARIES)
            for location in data.canaries.locations_in(text)
        }


def _find_in_clickhouse(databases: Databases, data: ProofData) -> Found:
    """Find the canaries in active parts, also in rows that a lightweight delete has hidden."""
    found = set()
    for table in discover_clickhouse_tables(databases):
        columns = ", ".join(f"toString({column.name})" for column in table.columns if not column.is_aggregate)
        statement = f"SELECT concat_ws('|', {columns}) FROM {table.name}"
        rows = databases.clickhouse.query(statement, settings={"apply_deleted_mask": 0}).result_rows
        for (row,) in rows:
            found |= {(f"ClickHouse {table.name}", location) for location in data.canaries.locations_in(row)}
    return found


def _find_elsewhere(databases: Databases, data: ProofData, resources: Mapping[str, str]) -> Found:
    """Find the canaries in Redis, in S3 and in the inputs of executions."""
    texts = {f"Redis {key}": f"{key} {value}" for key, value in redis_keys(databases).items()}
    texts |= {f"S3 {key}": text for key, text in objects_in(resources).items()}
    client: Any = boto3.client("stepfunctions", region_name=REGION)
    for machine in client.list_state_machines()["stateMachines"]:
        for each in client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
            texts[f"execution {each['name']}"] = client.describe_execution(executionArn=each["executionArn"])["input"]
    return {(place, location) for place, text in texts.items() for location in data.canaries.locations_in(text)}


def _redis_keys_of(databases: Databases, organization_id: UUID) -> list[str]:
    return [key for key, value in redis_keys(databases).items() if str(organization_id) in f"{key} {value}"]
