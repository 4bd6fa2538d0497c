"""Attacks with every credential on every route find no leak between organizations."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.permissions import PERMISSIONS
from tenancy.stores.postgres.exports import insert_export
from tenancy.use_cases.people.invite_member import invite_again
from tenancy.use_cases.people.reset_password import request_password_reset
from tests.given import OPERATOR, ROOT, Databases
from tests.handlers.functions import Start, superuser
from tests.handlers.sent_events import ACME, GLOBEX
from tests.isolation.proof.attack.combinations import all_combinations, sample_combinations
from tests.isolation.proof.attack.execution import attack
from tests.isolation.proof.attack.gateway import SOURCE_ADDRESS, LocalGateway
from tests.isolation.proof.attack.injection_points import INJECTION_POINTS
from tests.isolation.proof.attack.preparation import prepare_target
from tests.isolation.proof.attack.target import AttackTarget
from tests.isolation.proof.discovery.deployment import discover_scheduled_functions, environment_of
from tests.isolation.proof.discovery.tables import discover_clickhouse_tables, discover_tables
from tests.isolation.proof.leaks.buckets import leaks_in_objects, objects_in, organizations_in_objects
from tests.isolation.proof.leaks.mails import leaks_in_mails, sent_mails
from tests.isolation.proof.leaks.output import CapturedOutput, leaks_in_output
from tests.isolation.proof.leaks.queues import QueueInspector
from tests.isolation.proof.leaks.secrets import secrets_in_places
from tests.isolation.proof.leaks.snapshots import redis_keys
from tests.isolation.proof.leaks.stores import record_written_rows, texts_in_redis, texts_in_tables, texts_written
from tests.isolation.proof.normalization import UUIDS
from tests.isolation.proof.proof_data import SESSION_EMAIL, ProofData, ProofOrganization
from tests.isolation.proof.report import ProofReport

FIND_INVITED = "SELECT id FROM users WHERE organization_id = %s AND email = 'accepting@x.example'"
PRETENDED = 5  # the version of ids that are made from the names of unknown organizations
# The handlers' fixtures write these organizations to Redis; no database has them.
ONLY_IN_REDIS = {str(ACME.organization_id), str(GLOBEX.organization_id)}


@pytest.fixture
def target(
    databases: Databases, gateway: LocalGateway, data: ProofData, queues: QueueInspector, output: CapturedOutput
) -> AttackTarget:
    with superuser(databases) as conn:
        record_written_rows(conn)
    return prepare_target(databases, gateway, data, queues, output)


def test_attacks_find_no_leak(
    target: AttackTarget, resources: dict[str, str], report: ProofReport, subtests: pytest.Subtests
) -> None:
    report.sections["stores"], fields_without_canary = _searched_stores(target)
    combinations = (
        all_combinations(target.data, target.calls)
        if report.is_full
        else sample_combinations(target.data, target.calls, target.permitted)
    )

    attack(target, combinations)

    findings = target.findings
    report.sections["attacks"] = _section(target)
    report.sections["keys of Redis"] = sorted({key.partition("}")[2] for key in redis_keys(target.databases)})
    with subtests.test("every call succeeds for a permitted caller"):
        assert [call.name for call in target.calls if not target.permitted[call.name]] == []
        assert target.canaries_shown.total() > 0
    with subtests.test("every free text field holds a canary"):
        assert fields_without_canary == set()
    with subtests.test("every route, injection point and credential was tried"):
        routes, points, kinds = ({attempt[part] for attempt in findings.attempts} for part in range(3))
        assert routes == {route.name for route in target.gateway.routes}
        assert points == {point.name for point in INJECTION_POINTS}
        assert kinds == {credential.kind for credential in target.data.credentials}
    with subtests.test("no answer, log line, metric or message shows a foreign canary, and no foreign row changes"):
        assert findings.leaks == []
    with subtests.test("no answer is a 5xx"):
        assert findings.faults == []
    with subtests.test("answers are the same for an organization that does not exist"):
        assert findings.existence_leaks == []
    with subtests.test("a permitted caller that names a foreign organization is refused"):
        assert findings.accepted == []
    with subtests.test("every Redis key belongs to one organization or the platform"):
        assert _leaking_redis_keys(target) == []
    objects = objects_in(resources)
    with subtests.test("every object lies under its organization's id"):
        assert leaks_in_objects(objects, target.data) == []
    with subtests.test("an answer shows only the keys and tokens that its request asks for"):
        assert target.gateway.answers.leaks == set()
        assert target.gateway.answers.given_out
    with subtests.test("no row, Redis key or object holds a password, key or token"):
        assert _stored_secrets(target.databases, objects, target.gateway.state.deleted_keys) == []


def test_scheduled_functions_do_not_mix_organizations(
    data: ProofData,
    start: Start,
    secrets: None,  # noqa: ARG001
    resources: dict[str, str],
    databases: Databases,
) -> None:
    for own in data.organizations:
        with databases.functions.tenant_transaction(own.organization_id) as conn:
            insert_export(conn, own.organization_id, uuid4(), OPERATOR, now=datetime.now(UTC))
        _enqueue_one_time_tokens(databases, own)
    with superuser(databases) as conn:
        record_written_rows(conn)
    functions = {name: start(name, **environment_of(name, resources)) for name in discover_scheduled_functions()}
    output = CapturedOutput()

    with output.capture():
        for name, function in functions.items():
            for sample in sorted((ROOT / "events" / name).glob("*.json")):
                function(json.loads(sample.read_text()))

    lines, objects, mails = output.take_lines(), objects_in(resources), sent_mails()
    assert lines
    assert leaks_in_output(lines, data.canaries, None) == []
    assert leaks_in_objects(objects, data) == []
    assert organizations_in_objects(objects, data) == {own.organization_id for own in data.organizations}
    assert len(mails) >= len(data.organizations)
    for addresses, text in mails:
        owners = {location.organization_id for location in data.canaries.locations_in(f"{addresses} {text}")}
        assert len(owners) == 1
    assert _stored_secrets(databases, objects, ()) == []
    assert sum(bool(secrets_in_places([("mail", text)])) for _, text in mails) == 2 * len(data.organizations)
    with superuser(databases) as conn:
        assert leaks_in_mails(conn, mails) == []


def _enqueue_one_time_tokens(databases: Databases, own: ProofOrganization) -> None:
    """Enqueue the mails of an invitation and of a password reset."""
    now = datetime.now(UTC)
    request_password_reset(
        databases.platform,
        own.organization_id,
        email=SESSION_EMAIL,
        request_id="r",
        source_address=SOURCE_ADDRESS,
        now=now,
    )
    with superuser(databases) as conn:
        [(invited,)] = conn.execute(FIND_INVITED, (own.organization_id,)).fetchall()
    permissions = frozenset(PERMISSIONS)
    invite_again(databases.platform, own.organization_id, invited, permissions=permissions, actor=OPERATOR, now=now)


def _stored_secrets(databases: Databases, objects: Mapping[str, str], others: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence for each place of the stores, objects or *others* with a secret in clear."""
    with superuser(databases) as conn:
        rows = [*texts_in_tables(conn), *texts_written(conn)]
    assert rows
    return secrets_in_places([*rows, *texts_in_redis(databases), *objects.items(), *others])


def _searched_stores(target: AttackTarget) -> tuple[dict[str, list[str]], set[str]]:
    """Return the report's section, and the free text fields without a canary."""
    with superuser(target.databases) as conn:
        tables = [("PostgreSQL", table) for table in discover_tables(conn)]
    tables += [("ClickHouse", table) for table in discover_clickhouse_tables(target.databases)]
    columns = {f"{store} {table.name}.{each.name}": each for store, table in tables for each in table.columns}
    planted = target.data.canaries.planted_fields
    constrained = {name for name, column in columns.items() if column.allowed_values}
    short = {name for name, column in columns.items() if column.length is not None}  # too short for a canary
    section = {
        "tables": sorted(f"{store} {table.name}" for store, table in tables),
        "columns with canaries": sorted(planted),
        "columns with a list of allowed values": sorted(constrained),
        "columns with texts of a fixed length": sorted(short),
    }
    return section, {name for name, column in columns.items() if column.is_text} - planted - constrained - short


def _leaking_redis_keys(target: AttackTarget) -> list[str]:
    """Return the keys without an organization's tag, with a canary, or with a foreign id."""
    data = target.data
    known = {str(own.organization_id) for own in data.organizations} | {str(PLATFORM_LOG)} | ONLY_IN_REDIS
    leaking = []
    for key, value in redis_keys(target.databases).items():
        owner = key.partition("}")[0].removeprefix("{")
        is_foreign = any(found in data.owners and str(data.owners[found]) != owner for found in UUIDS.findall(value))
        if UUID(owner).version == PRETENDED:
            continue  # attempts to log in at an organization that does not exist
        if owner not in known or is_foreign or data.canaries.locations_in(value):
            leaking.append(key)
    return leaking


def _section(target: AttackTarget) -> dict[str, Any]:
    findings = target.findings
    counts: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for attempt, times in findings.attempts.items():
        for counter, value in zip(counts, attempt, strict=True):
            counter[value] += times
    return {
        "combinations": findings.attempts.total(),
        "organizations": [own.name for own in target.data.organizations],
        "leaks": findings.leaks,
        "faults (5xx)": findings.faults,
        "existence leaks": findings.existence_leaks,
        "foreign organization named and accepted": findings.accepted,
        "by route": dict(counts[0]),
        "by injection point": dict(counts[1]),
        "by credential": dict(counts[2]),
        "by status": {str(status): times for status, times in findings.statuses.items()},
        "messages in queues": dict(target.queues.message_counts),
    }
