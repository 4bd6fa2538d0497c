"""Erasure: only after the grace, only of the newest deletion, of everything and of nobody else, and proven."""

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
from tests.use_cases.erasing import PURGE, QUIET, Platform, column_of, owed
from tests.use_cases.storing import count, store

AFTER = PURGE + QUIET + timedelta(minutes=1)


def use(databases: Databases, admit: Admit, made: Provisioned) -> None:
    """Let an organization have something everywhere: events, held ones, statistics, counters."""
    own = made.organization.id
    store(databases, own, range(10), at=NOW - timedelta(hours=2))
    store(databases, own, range(10, 13), at=NOW - timedelta(hours=2), table="held_events", reason="quota")
    assert admit(tenant_of(made)).verdict is AdmissionVerdict.ADMITTED


def test_a_whole_erasure_leaves_a_tombstone_and_touches_nobody_else(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    for made in (acme, globex):
        use(databases, admit, made)
        platform.erasure_stores.exports.put(made.organization.id, "1/events.jsonl.gz", b"events")
    roll_up(databases.platform, databases.clickhouse, platform.redis, now=NOW)
    before = snapshot(databases, acme.organization.id)
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
    assert (row["last_contact"], row["erased_at"]) == (None, PURGE + QUIET)


def test_every_table_with_organizations_is_erased_or_kept_on_purpose(databases: Databases) -> None:
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


def test_postgresql_keeps_no_statistics_of_what_is_erased_but_ids_numbers_and_choices(databases: Databases) -> None:
    """They would be copies of texts, which outlive their rows."""
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
        assert conn.execute(indexed).fetchall() == []  # of expressions there would be statistics as well


def test_the_platform_cannot_delete_rows_of_an_organization_that_is_not_ending(
    databases: Databases, acme: Provisioned
) -> None:
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        for table in set(ERASED) - {"outbox", "provisioning_requests", "audit_refusals", "usage_reservations"}:
            assert conn.execute(f"DELETE FROM {table}".encode()).rowcount == 0
        assert conn.execute("SELECT count(*) FROM api_keys").fetchone() == (2,)


# ------------------------------------------------------------------------------------------------- when, and when not


def test_nothing_is_erased_before_its_time(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    with pytest.raises(EarlyError):
        platform.close(acme.organization.id, now=PURGE - timedelta(seconds=1))
    with pytest.raises(OvertakenError):
        erase_store(platform.erasure_stores, acme.organization.id, 1, "postgres", now=AFTER)
    assert column_of(databases, acme.organization.id)["status"] == "deleted"


def test_an_execution_whose_deletion_was_undone_or_is_an_older_one_is_overtaken(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    restore_organization(databases.platform, platform.targets, acme.organization.id, OPERATOR, now=NOW)
    with pytest.raises(OvertakenError):
        platform.close(acme.organization.id, 1)
    platform.delete(acme.organization.id, now=NOW + timedelta(days=1))
    with pytest.raises(OvertakenError):
        platform.close(acme.organization.id, 1, now=AFTER + timedelta(days=2))
    assert column_of(databases, acme.organization.id)["status"] == "deleted"


def test_an_organization_that_was_never_deleted_is_overtaken(platform: Platform, acme: Provisioned) -> None:
    for organization_id in (acme.organization.id, OPERATOR.id):
        with pytest.raises(OvertakenError):
            platform.close(organization_id, 0)


# --------------------------------------------------------------------------------------------------------- the gate


def test_a_closed_gate_is_known_to_clickhouse_and_to_nobody_else_there(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.close(acme.organization.id)
    platform.close(acme.organization.id)
    ids = [str(acme.organization.id), str(globex.organization.id)]
    assert list_tombstones(databases.clickhouse, ids) == {str(acme.organization.id)}


def test_what_an_insert_that_had_begun_before_leaves_behind_is_erased(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.close(own)
    store(databases, own, range(5), at=PURGE)  # it asked for tombstones before there was one
    platform.erase(own)
    assert count(databases, own) == 0


def test_nothing_brings_an_erased_organization_back(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    """Requests with a remembered credential, roll-ups and sweeps go on: they leave nothing."""
    for made in (acme, globex):
        use(databases, admit, made)
    own = acme.organization.id
    platform.delete(own)
    platform.close(own)
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.INACTIVE
    platform.erase(own)
    assert (
        admit(tenant_of(acme), now=AFTER).verdict is AdmissionVerdict.UNAUTHENTICATED
    )  # there is no such key any more
    for moment in (AFTER, AFTER + timedelta(hours=1)):
        roll_up(databases.platform, databases.clickhouse, platform.redis, now=moment)
        sweep(databases.platform, platform.redis, platform.targets, now=moment)
    assert not [key for key in redis_keys(databases) if str(own) in key]
    counted = count_again(platform.erasure_stores, platform.signer, own, 1, now=AFTER + timedelta(days=1))
    assert counted.found == {}
    assert all(not any(rows.values()) for rows in counted.left.values())


def test_a_roll_up_in_between_counts_no_rows_of_an_organization_whose_gate_is_closed(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    for made in (acme, globex):
        use(databases, admit, made)
    platform.delete(acme.organization.id)
    platform.close(acme.organization.id)
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


def test_late_records_are_kept_without_addresses(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.close(acme.organization.id)
    actor = Actor(kind=CallerKind.PERSON, id=acme.admin_user_id, request_id="r", source_address="198.51.100.7")
    metadata = (acme.organization.id, globex.organization.id)
    records = [addressed(each, actor, outcome) for each in metadata for outcome in AuditOutcome]
    records += [addressed(acme.organization.id, actor, AuditOutcome.REFUSED) for _ in range(3)]
    records.append(
        addressed(PLATFORM_LOG, actor, AuditOutcome.REFUSED, f"header by organization {acme.organization.id}")
    )
    records.append(addressed(PLATFORM_LOG, actor, AuditOutcome.DONE, f"nobody's: by organization {'-' * 36}"))
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


def test_the_platforms_log_forgets_where_they_called_from(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    with superuser(databases) as conn:
        for made in (acme, globex):
            record = conn.execute(
                "INSERT INTO audit_log VALUES (gen_random_uuid(), %s, now(), 'key', %s, 'GET /v1/usage', 'header',"
                " 'refused', 'tenant_mismatch', 1, 'r', sha256('x')) RETURNING id",
                (nobody, made.secret_key_id),
            ).fetchone()
            assert record is not None
            statement = "INSERT INTO audit_people VALUES (%s, %s, %s, 'salt', '198.51.100.7')"
            conn.execute(statement, (nobody, record[0], made.secret_key_id))
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)
    with superuser(databases) as conn:
        found = conn.execute("SELECT actor_id FROM audit_people WHERE organization_id = %s", (nobody,)).fetchall()
    assert found == [(globex.secret_key_id,)]


def test_requests_of_an_organization_that_is_being_erased_are_limited_without_redis(
    platform: Platform, admit: Admit, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.close(acme.organization.id)
    delete_counters(platform.redis, acme.organization.id, now=PURGE)
    verdicts = [admit(tenant_of(acme), now=PURGE).verdict for _ in range(102)]
    assert verdicts == [AdmissionVerdict.INACTIVE] * 100 + [AdmissionVerdict.RATE_LIMITED] * 2
    assert redis_keys(platform.databases) == {}


def test_nothing_is_made_any_more_for_an_organization_that_is_being_erased(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    with databases.platform.tenant_transaction(own) as conn:
        value = {"value": f"organization-{own}-again", "tier": "starter"}
        insert_outbox_entry(conn, own, OutboxKind.GATEWAY_KEY, value, due_at=PURGE)
        insert_outbox_entry(conn, own, OutboxKind.EXPORT_MAIL, {"to": "admin@acme.example"}, due_at=NOW)
    sweep(databases.platform, platform.redis, platform.targets, now=NOW)
    assert ("export_mail", "admin@acme.example") in owed(databases)
    platform.close(own)
    sweep(databases.platform, platform.redis, platform.targets, now=PURGE + timedelta(minutes=1))
    assert ("gateway_key", None) in owed(databases)
