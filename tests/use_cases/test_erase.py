"""Erasure removes all data of one organization, after the grace period of its last deletion."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.audit_record import PLATFORM_LOG, Actor, AddressedRecord, AuditOutcome, AuditRecord
from tenancy.rules.tenant import CallerKind
from tenancy.stores.clickhouse.platform.tombstones import list_tombstones
from tenancy.stores.postgres.platform.organization_rows import ERASED, KEPT
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.redis.platform.counters import delete_counters
from tenancy.use_cases.audit.record_audit import record_messages
from tenancy.use_cases.deletion.delete import restore_organization
from tenancy.use_cases.deletion.erase import (
    EarlyError,
    OvertakenError,
    count_again,
    erase_store,
)
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.isolation.proof.leaks.snapshots import redis_keys, snapshot
from tests.use_cases.admitting import Admit
from tests.use_cases.erasing import PURGE, WRITER_WAIT, Platform, column_of, pending_entries
from tests.use_cases.storing import count, store

AFTER = PURGE + WRITER_WAIT + timedelta(minutes=1)


def use(databases: Databases, admit: Admit, provisioned: Provisioned) -> None:
    """Give an organization data in every store: events, held events and counters."""
    organization_id = provisioned.organization.id
    store(databases, organization_id, range(10), at=NOW - timedelta(hours=2))
    store(databases, organization_id, range(10, 13), at=NOW - timedelta(hours=2), table="held_events", reason="quota")
    assert admit(tenant_of(provisioned)).verdict is AdmissionVerdict.ADMITTED


def test_erasure_leaves_a_remnant_and_no_other_change(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        use(databases, admit, provisioned)
        platform.erasure_stores.exports.put(provisioned.organization.id, "1/events.jsonl.gz", b"events")
    roll_up(databases.platform, databases.clickhouse, platform.redis, now=NOW)
    before = snapshot(databases, acme.organization.id)
    with superuser(databases) as conn:
        statement = "UPDATE organizations SET overrides = '{\"users\": 77}' WHERE id = %s"
        conn.execute(statement, (globex.organization.id,))
    platform.delete(globex.organization.id)

    counts = platform.erase(globex.organization.id, times=2)

    assert set(counts) == set(ERASABLE_STORES)
    assert platform.erasure_stores.exports.count_all(acme.organization.id) == 1
    assert all(not any(found.values()) for found in counts.values())
    assert snapshot(databases, acme.organization.id) == before

    left = {name for name, rows in snapshot(databases, globex.organization.id).items() if rows}
    assert left == {
        "PostgreSQL organizations", "PostgreSQL deletion_certificates", "PostgreSQL audit_log", "PostgreSQL outbox",
        "ClickHouse tombstones",
    }  # fmt: skip

    row = column_of(databases, globex.organization.id)
    assert (row["status"], row["name"], row["deletion_reason"]) == ("erased", "erased", None)
    assert row["subdomain"] == row["gateway_key"] == str(globex.organization.id)
    assert row["overrides"] == {}
    assert (row["last_contact"], row["erased_at"]) == (None, PURGE + WRITER_WAIT)


def test_every_table_is_listed_as_erased_or_kept(databases: Databases) -> None:
    with superuser(databases) as conn:
        statement = """
            SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'organization_id'
        """
        found = {name for (name,) in conn.execute(statement)}
        keys = conn.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
        )
        pairs = keys.fetchall()

    assert {*ERASED, *KEPT} == {*found, "organizations"}
    assert set(ERASED) & KEPT == set()

    order = {table: place for place, table in enumerate(ERASED)}
    assert [pair for pair in pairs if order.get(pair[0], 0) > order.get(pair[1], len(order))] == []


def test_postgresql_keeps_no_statistics_of_erasable_texts(databases: Databases) -> None:
    """Statistics of a column are copies of texts that remain after their rows are deleted."""
    with superuser(databases) as conn:
        statement = """
            SELECT a.attrelid::regclass::text || '.' || a.attname FROM pg_attribute AS a
            WHERE a.attrelid = ANY (%s::regclass[]) AND a.attnum > 0 AND NOT a.attisdropped
              AND format_type(a.atttypid, NULL) IN ('text', 'text[]', 'json', 'jsonb', 'bytea', 'inet')
              AND a.attstattarget IS DISTINCT FROM 0
              AND NOT EXISTS (
                  SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.conkey = ARRAY[a.attnum]
                  AND k.contype = 'c' AND pg_get_constraintdef(k.oid) LIKE '%%= ANY (ARRAY[%%'
              )
        """

        assert conn.execute(statement, ([*ERASED, "organizations", "quarantined_subdomains"],)).fetchall() == []

        indexed = "SELECT indexrelid::regclass FROM pg_index WHERE indexprs IS NOT NULL AND indrelid > 16383"
        assert conn.execute(indexed).fetchall() == []  # indexes of expressions have statistics, too


def test_platform_role_deletes_no_rows_before_an_erasure(databases: Databases, acme: Provisioned) -> None:
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        for table in set(ERASED) - {"outbox", "provisioning_requests", "audit_refusals", "usage_reservations"}:
            assert conn.execute(f"DELETE FROM {table}".encode()).rowcount == 0
        assert conn.execute("SELECT count(*) FROM api_keys").fetchone() == (2,)


# ------------------------------------------------------------------------------------------- conditions of an erasure


def test_nothing_is_erased_before_the_grace_period_ends(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)

    with pytest.raises(EarlyError):
        platform.place_tombstones(acme.organization.id, now=PURGE - timedelta(seconds=1))

    with pytest.raises(OvertakenError):
        erase_store(platform.erasure_stores, acme.organization.id, 1, "postgres", now=AFTER)
    assert column_of(databases, acme.organization.id)["status"] == "deleted"


def test_execution_of_an_undone_deletion_is_overtaken(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    restore_organization(databases.platform, platform.targets, acme.organization.id, OPERATOR, now=NOW)

    with pytest.raises(OvertakenError):
        platform.place_tombstones(acme.organization.id, 1)

    platform.delete(acme.organization.id, now=NOW + timedelta(days=1))

    with pytest.raises(OvertakenError):
        platform.place_tombstones(acme.organization.id, 1, now=AFTER + timedelta(days=2))
    assert column_of(databases, acme.organization.id)["status"] == "deleted"


def test_execution_without_a_deletion_is_overtaken(platform: Platform, acme: Provisioned) -> None:
    for organization_id in (acme.organization.id, OPERATOR.id):
        with pytest.raises(OvertakenError):
            platform.place_tombstones(organization_id, 0)


# ------------------------------------------------------------------------------------------------------ the tombstone


def test_clickhouse_knows_the_tombstone_of_one_organization(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.place_tombstones(acme.organization.id)

    platform.place_tombstones(acme.organization.id)

    ids = [str(acme.organization.id), str(globex.organization.id)]
    assert list_tombstones(databases.clickhouse, ids) == {str(acme.organization.id)}


def test_insert_that_began_before_the_tombstone_is_erased(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    platform.place_tombstones(organization_id)
    store(databases, organization_id, range(5), at=PURGE)  # the writer looked for tombstones before there was one

    platform.erase(organization_id)

    assert count(databases, organization_id) == 0


def test_requests_and_schedules_restore_no_erased_data(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    """Requests with a cached credential, roll-ups and sweeps continue and leave no data."""
    for provisioned in (acme, globex):
        use(databases, admit, provisioned)
    organization_id = acme.organization.id
    platform.delete(organization_id)

    platform.place_tombstones(organization_id)

    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.INACTIVE

    platform.erase(organization_id)
    # The key of the tenant is erased.
    assert admit(tenant_of(acme), now=AFTER).verdict is AdmissionVerdict.UNAUTHENTICATED

    for moment in (AFTER, AFTER + timedelta(hours=1)):
        roll_up(databases.platform, databases.clickhouse, platform.redis, now=moment)
        sweep(databases.platform, platform.redis, platform.targets, now=moment)

    assert not [key for key in redis_keys(databases) if str(organization_id) in key]

    counted = count_again(platform.erasure_stores, platform.signer, organization_id, 1, now=AFTER + timedelta(days=1))

    assert counted.found == {}
    assert all(not any(rows.values()) for rows in counted.left.values())


def test_roll_up_skips_an_organization_with_a_tombstone(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        use(databases, admit, provisioned)
    platform.delete(acme.organization.id)
    platform.place_tombstones(acme.organization.id)

    roll_up(databases.platform, databases.clickhouse, platform.redis, now=NOW)

    assert count(databases, acme.organization.id, "daily_statistics") == 0
    assert count(databases, globex.organization.id, "daily_statistics") > 0

    with superuser(databases) as conn:
        assert conn.execute("SELECT DISTINCT organization_id FROM tenant_usage").fetchall() == [
            (globex.organization.id,)
        ]


def addressed(organization_id: UUID, actor: Actor, outcome: AuditOutcome, target: str = "late") -> AddressedRecord:
    record = AuditRecord(occurred_at=NOW, actor=actor, action="GET /v1/usage", outcome=outcome, target=target)
    return AddressedRecord(organization_id=organization_id, record=record)


def test_late_audit_records_are_kept_without_addresses(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.place_tombstones(acme.organization.id)
    actor = Actor(kind=CallerKind.PERSON, id=acme.admin_user_id, request_id="r", source_address="198.51.100.7")
    organizations = (acme.organization.id, globex.organization.id)
    records = [addressed(each, actor, outcome) for each in organizations for outcome in AuditOutcome]
    records += [addressed(acme.organization.id, actor, AuditOutcome.REFUSED) for _ in range(3)]
    records.append(
        addressed(PLATFORM_LOG, actor, AuditOutcome.REFUSED, f"header by organization {acme.organization.id}")
    )
    records.append(addressed(PLATFORM_LOG, actor, AuditOutcome.DONE, f"no id: by organization {'-' * 36}"))

    messages = {str(number): msgspec.json.encode(each).decode() for number, each in enumerate(records)}

    assert record_messages(databases.platform, messages) == []

    with superuser(databases) as conn:
        statement = "SELECT organization_id FROM audit_people WHERE source_address = '198.51.100.7'"
        found = conn.execute(statement).fetchall()
        assert sorted(found) == sorted([(globex.organization.id,), (PLATFORM_LOG,)])

        refused = conn.execute("SELECT organization_id, source_address FROM audit_refusals").fetchall()
        assert sorted(refused) == sorted([(globex.organization.id, "198.51.100.7"), (PLATFORM_LOG, "")])

        statement = "SELECT outcome, count FROM audit_log WHERE organization_id = %s AND target = 'late' ORDER BY 1"
        assert conn.execute(statement, (acme.organization.id,)).fetchall() == [("done", 1), ("refused", 4)]


def test_erasure_deletes_addresses_from_the_platform_log(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform_log = "00000000-0000-0000-0000-000000000000"
    with superuser(databases) as conn:
        for provisioned in (acme, globex):
            record = conn.execute(
                "INSERT INTO audit_log VALUES (gen_random_uuid(), %s, now(), 'key', %s, 'GET /v1/usage', 'header',"
                " 'refused', 'tenant_mismatch', 1, 'r', sha256('x')) RETURNING id",
                (platform_log, provisioned.secret_key_id),
            ).fetchone()
            assert record is not None
            statement = "INSERT INTO audit_people VALUES (%s, %s, %s, 'salt', '198.51.100.7')"
            conn.execute(statement, (platform_log, record[0], provisioned.secret_key_id))

    platform.delete(acme.organization.id)

    platform.erase(acme.organization.id)

    with superuser(databases) as conn:
        found = conn.execute("SELECT actor_id FROM audit_people WHERE organization_id = %s", (platform_log,)).fetchall()
    assert found == [(globex.secret_key_id,)]


def test_erasing_organization_is_rate_limited_without_redis(
    platform: Platform, admit: Admit, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.place_tombstones(acme.organization.id)
    delete_counters(platform.redis, acme.organization.id, now=PURGE)

    verdicts = [admit(tenant_of(acme), now=PURGE).verdict for _ in range(102)]

    assert verdicts == [AdmissionVerdict.INACTIVE] * 100 + [AdmissionVerdict.RATE_LIMITED] * 2
    assert redis_keys(platform.databases) == {}


def test_outbox_entries_do_not_run_during_an_erasure(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    with databases.platform.tenant_transaction(organization_id) as conn:
        value = {"value": f"organization-{organization_id}-again", "tier": "starter"}
        insert_outbox_entry(conn, organization_id, OutboxKind.GATEWAY_KEY, value, due_at=PURGE)
        insert_outbox_entry(conn, organization_id, OutboxKind.EXPORT_MAIL, {"to": "admin@acme.example"}, due_at=NOW)

    sweep(databases.platform, platform.redis, platform.targets, now=NOW)

    assert ("export_mail", "admin@acme.example") in pending_entries(databases)

    platform.place_tombstones(organization_id)
    sweep(databases.platform, platform.redis, platform.targets, now=PURGE + timedelta(minutes=1))

    assert ("gateway_key", None) in pending_entries(databases)
