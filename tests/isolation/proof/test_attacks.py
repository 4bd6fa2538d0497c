"""Everybody tries everything against everybody else, and nothing comes of it."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from moto.ses.models import ses_backends

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.postgres.privacy import insert_export
from tests.given import OPERATOR, REGION, ROOT, Databases
from tests.handlers.conftest import ACCOUNT
from tests.handlers.functions import Start, superuser
from tests.handlers.sent_events import ACME, GLOBEX
from tests.isolation.proof.attack.attack import Siege, attack, besiege
from tests.isolation.proof.attack.combinations import every, sampled
from tests.isolation.proof.attack.gateway import Gateway
from tests.isolation.proof.attack.injection_points import PLACEMENTS, UUIDS
from tests.isolation.proof.discovery.deployment import discover_scheduled, variables_of
from tests.isolation.proof.discovery.tables import discover_clickhouse_tables, discover_tables, redis_keys
from tests.isolation.proof.leaks.buckets import canaries_shown, objects_in, wrong_objects
from tests.isolation.proof.leaks.output import Output, wrong_in
from tests.isolation.proof.leaks.queues import Mailroom
from tests.isolation.proof.proof_data import Neighbours
from tests.isolation.proof.report import Report

KNOWN_TO_REDIS = {str(ACME.organization_id), str(GLOBEX.organization_id)}  # of the handlers' tests, in no database


@pytest.fixture
def siege(databases: Databases, gateway: Gateway, neighbours: Neighbours, mailroom: Mailroom, output: Output) -> Siege:
    return besiege(databases, gateway, neighbours, mailroom, output)


def test_whoever_names_another_organization_learns_and_changes_nothing(
    siege: Siege, made: dict[str, str], report: Report, subtests: pytest.Subtests
) -> None:
    with subtests.test("every route is called by somebody who may, so that the attempts mean something"):
        assert [call.name for call in siege.calls if not siege.entitled[call.name]] == []
        assert sum(siege.shown.values()) > 0
    with subtests.test("every text field of every store holds a canary, save those that take few words"):
        report.sections["stores"], bare = _stores(siege)
        assert bare == set()
    plan = (
        every(siege.neighbours, siege.calls)
        if report.is_full
        else sampled(siege.neighbours, siege.calls, siege.entitled)
    )
    attack(siege, plan)
    found = siege.findings
    report.sections["attacks"] = _section(siege)
    with subtests.test("no answer, log line, metric or message shows another's canary, and no row of another changes"):
        assert found.leaks == []
    with subtests.test("no answer is a fault"):
        assert found.faults == []
    with subtests.test("no answer tells an organization that exists from one that does not"):
        assert found.hints == []
    with subtests.test("who may make a call is refused for naming another organization, wherever it is named"):
        assert found.accepted == []
    with subtests.test("every key of Redis is one organization's, or the platform's, and holds nothing of another"):
        report.sections["keys of Redis"] = sorted({key.partition("}")[2] for key in redis_keys(siege.databases)})
        assert _loose_keys(siege) == []
    with subtests.test("every object of a bucket lies under one organization's id, and holds nothing of another"):
        assert wrong_objects(objects_in(made), siege.neighbours) == []
    with subtests.test("each route, placement and credential was tried"):
        tried = [{key[place] for key in found.tried} for place in range(3)]
        assert tried[0] == {route.name for route in siege.gateway.routes}
        assert tried[1] == {placement.name for placement in PLACEMENTS}
        assert tried[2] == {credential.kind for credential in siege.neighbours.credentials}


def test_what_runs_for_all_organizations_tells_none_about_another(
    neighbours: Neighbours,
    start: Start,
    secrets: None,  # noqa: ARG001
    made: dict[str, str],
    databases: Databases,
) -> None:
    for each in neighbours.organizations:
        with databases.functions.tenant_transaction(each.organization_id) as conn:
            insert_export(conn, each.organization_id, uuid4(), OPERATOR, now=datetime.now(UTC))
    functions = {function: start(function, **variables_of(function, made)) for function in discover_scheduled()}
    output = Output()
    with output.captured():
        for name, function in functions.items():
            for sample in sorted((ROOT / "events" / name).glob("*.json")):
                function(json.loads(sample.read_text()))
    lines = output.take()
    assert lines
    assert wrong_in(lines, neighbours.canaries, None) == []
    objects = objects_in(made)
    assert wrong_objects(objects, neighbours) == []
    assert canaries_shown(objects, neighbours) == {each.organization_id for each in neighbours.organizations}
    messages = ses_backends[ACCOUNT][REGION].sent_messages
    assert len(messages) >= len(neighbours.organizations)
    for message in messages:
        text = f"{message.destinations} {message.subject} {message.body}"
        assert len({place.organization_id for place in neighbours.canaries.found_in(text)}) == 1


def _stores(siege: Siege) -> tuple[dict[str, list[str]], set[str]]:
    """Return what was discovered in the stores, and the text fields without a canary that would take one."""
    with superuser(siege.databases) as conn:
        tables = [("PostgreSQL", table) for table in discover_tables(conn)]
    tables += [("ClickHouse", table) for table in discover_clickhouse_tables(siege.databases)]
    columns = {f"{store} {table.name}.{each.name}": each for store, table in tables for each in table.columns}
    planted = siege.neighbours.canaries.planted
    closed = {name for name, column in columns.items() if column.choices}
    section = {
        "tables": sorted(f"{store} {table.name}" for store, table in tables),
        "columns with canaries": sorted(planted),
        "columns that take few words": sorted(closed),
    }
    return section, {name for name, column in columns.items() if column.is_text} - planted - closed


def _loose_keys(siege: Siege) -> list[str]:
    """Return keys without an organization's tag, and those that hold a canary or another's id."""
    ids = {str(each.organization_id) for each in siege.neighbours.organizations}
    loose = []
    for key, held in redis_keys(siege.databases).items():
        owner = key.partition("}")[0].removeprefix("{")
        others = {
            found for found in UUIDS.findall(held) if siege.neighbours.owners.get(found, UUID(int=0)) != UUID(owner)
        }
        is_loose = owner not in ids | {str(PLATFORM_LOG), *KNOWN_TO_REDIS}
        if is_loose or siege.neighbours.canaries.found_in(held) or (others & set(siege.neighbours.owners)):
            loose.append(key)
    return loose


def _section(siege: Siege) -> dict[str, Any]:
    tried = siege.findings.tried
    by: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for key, times in tried.items():
        for counter, value in zip(by, key, strict=True):
            counter[value] += times
    return {
        "combinations": tried.total(),
        "organizations": [each.name for each in siege.neighbours.organizations],
        "leaks": siege.findings.leaks,
        "faults (5xx)": siege.findings.faults,
        "hints at existence": siege.findings.hints,
        "accepted although another organization was named": siege.findings.accepted,
        "by route": dict(by[0]),
        "by placement": dict(by[1]),
        "by credential": dict(by[2]),
        "by status": {str(status): times for status, times in siege.findings.answers.items()},
        "messages in queues": dict(siege.mailroom.seen),
    }
