"""Erasure: only after the grace, only of the newest deletion, of everything and of nobody else, and proven."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from tenancy.admission import Verdict
from tenancy.audit import Actor, Addressed, Outcome, Record
from tenancy.errors import SubdomainTakenError
from tenancy.organization import Status
from tenancy.stores.platform.deletions import list_certificates
from tenancy.stores.platform.erasure import ERASED, KEPT
from tenancy.stores.platform.leases import take_lease
from tenancy.stores.platform.tombstones import list_tombstones
from tenancy.tenant import CallerKind
from tenancy.tiers import Tier
from tenancy.use_cases.delete import restore_organization
from tenancy.use_cases.erase import (
    EarlyError,
    OvertakenError,
    RowsLeftError,
    WritersActiveError,
    await_writers,
    count_again,
    erase_store,
)
from tenancy.use_cases.estate import STORES
from tenancy.use_cases.list_organizations import list_page
from tenancy.use_cases.provision import Provisioned, provision_organization
from tenancy.use_cases.read_audit import verify_audit_log
from tenancy.use_cases.read_certificate import read_certificate
from tenancy.use_cases.record_audit import record_messages
from tenancy.use_cases.roll_up import roll_up
from tenancy.use_cases.sweep import sweep
from tests.given import NOW, OPERATOR, Databases, new_organization, tenant_of
from tests.handlers.functions import Mails, superuser
from tests.isolation.proof.catalog import redis_keys, snapshot
from tests.use_cases.admitting import Admit
from tests.use_cases.erasing import PURGE, QUIET, Platform, column_of, owed
from tests.use_cases.storing import count, store

AFTER = PURGE + QUIET + timedelta(minutes=1)


def use(databases: Databases, admit: Admit, made: Provisioned) -> None:
    """Let an organization have something everywhere: events, held ones, statistics, counters."""
    own = made.organization.id
    store(databases, own, range(10), at=NOW - timedelta(hours=2))
    store(databases, own, range(10, 13), at=NOW - timedelta(hours=2), table="held_events", reason="quota")
    assert admit(tenant_of(made)).verdict is Verdict.ADMITTED


def test_a_whole_erasure_leaves_a_tombstone_and_touches_nobody_else(
    platform: Platform, databases: Databases, admit: Admit, acme: Provisioned, globex: Provisioned
) -> None:
    for made in (acme, globex):
        use(databases, admit, made)
        platform.estate.exports.put(made.organization.id, "1/events.jsonl.gz", b"events")
    roll_up(databases.platform, databases.clickhouse, platform.redis, now=NOW)
    before = snapshot(databases, acme.organization.id)
    platform.delete(globex.organization.id)
    counts = platform.erase(globex.organization.id, times=2)
    assert set(counts) == set(STORES)
    assert platform.estate.exports.count_all(acme.organization.id) == 1
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
        erase_store(platform.estate, acme.organization.id, 1, "postgres", now=AFTER)
    assert column_of(databases, acme.organization.id)["status"] == "deleted"


def test_an_execution_whose_deletion_was_undone_or_is_an_older_one_is_overtaken(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    restore_organization(databases.platform, platform.redis, acme.organization.id, OPERATOR, now=NOW)
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


def test_writers_that_began_before_the_gate_closed_are_waited_for(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.close(own)

    def wait(now: datetime) -> None:
        await_writers(platform.estate, own, 1, quiet=QUIET, now=now)

    with pytest.raises(WritersActiveError):
        wait(PURGE + QUIET - timedelta(seconds=1))
    wait(PURGE + QUIET)
    for name in ("roll_up", f"release {own}"):
        with databases.platform.transaction() as conn:
            before = PURGE - timedelta(minutes=1)
            take_lease(conn, name, own, now=before, ends_at=before + timedelta(minutes=15))
        with pytest.raises(WritersActiveError):
            wait(PURGE + QUIET)
        with databases.platform.transaction() as conn:
            since = PURGE + timedelta(minutes=14, seconds=1)  # what was held from before has ended by then
            take_lease(conn, name, OPERATOR.id, now=since, ends_at=since + timedelta(minutes=15))
        wait(since)


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
    assert admit(tenant_of(acme)).verdict is Verdict.INACTIVE
    platform.erase(own)
    assert admit(tenant_of(acme), now=AFTER).verdict is Verdict.INACTIVE
    for moment in (AFTER, AFTER + timedelta(hours=1)):
        roll_up(databases.platform, databases.clickhouse, platform.redis, now=moment)
        sweep(databases.platform, platform.redis, platform.world, now=moment)
    assert not [key for key in redis_keys(databases) if str(own) in key]
    counts = count_again(platform.estate, platform.signer, own, 1, now=AFTER + timedelta(days=1))
    assert all(not any(found.values()) for found in counts.values())


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


def test_late_records_are_kept_without_addresses(
    platform: Platform, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.close(acme.organization.id)
    actor = Actor(kind=CallerKind.PERSON, id=acme.admin_user_id, request_id="r", source_address="198.51.100.7")
    records = [
        Addressed(
            organization_id=each, record=Record(occurred_at=NOW, actor=actor, action="GET /v1/usage", outcome=outcome)
        )
        for each in (acme.organization.id, globex.organization.id)
        for outcome in Outcome
    ]
    messages = {str(number): msgspec.json.encode(each).decode() for number, each in enumerate(records)}
    assert record_messages(databases.platform, messages) == []
    with superuser(databases) as conn:
        statement = "SELECT organization_id FROM audit_people WHERE source_address = '198.51.100.7'"
        assert conn.execute(statement).fetchall() == [(globex.organization.id,)]
        assert conn.execute("SELECT organization_id FROM audit_refusals").fetchall() == [(globex.organization.id,)]
        statement = "SELECT outcome FROM audit_log WHERE organization_id = %s AND action = 'GET /v1/usage' ORDER BY 1"
        assert conn.execute(statement, (acme.organization.id,)).fetchall() == [("done",), ("refused",)]


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


# --------------------------------------------------------------------------------------------------- the certificate


def test_the_certificate_is_signed_and_a_changed_one_is_found_out(
    platform: Platform, databases: Databases, tamper: psycopg.Connection[Any], acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.erase(own)
    found = read_certificate(databases.platform, platform.signer, own)
    assert found.are_valid
    document = json.loads(found.certificates[0].text)
    assert document["organization_id"] == str(own)
    assert document["counts"]["postgres"]["users"] == 0
    assert document["erased_at"] == "2026-12-24T12:02:00Z"
    assert {entry["by"] for entry in document["ages_out"]} > {"2027-01-07T12:02:00Z"}
    tamper.execute("UPDATE deletion_certificates SET text = replace(text::text, '\"users\": 0', '\"users\": 1')::json")
    assert not read_certificate(databases.platform, platform.signer, own).are_valid


def test_certifying_twice_makes_one_certificate_and_counting_again_another(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.erase(own, times=2)
    count_again(platform.estate, platform.signer, own, 1, now=AFTER + timedelta(days=1))
    with databases.platform.transaction() as conn:
        first, second = list_certificates(conn, own)
    assert json.loads(first.text)["counted_at"] == json.loads(first.text)["erased_at"]
    assert json.loads(second.text)["counted_at"] == "2026-12-25T12:03:00Z"
    assert json.loads(second.text)["erased_at"] == json.loads(first.text)["erased_at"]


def test_what_turns_up_after_the_erasure_is_erased_before_it_is_certified(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.erase(own)
    store(databases, own, range(3), at=AFTER)
    count_again(platform.estate, platform.signer, own, 1, now=AFTER)
    assert count(databases, own) == 0


def test_what_cannot_be_erased_is_named_and_not_certified(
    platform: Platform, databases: Databases, tamper: psycopg.Connection[Any], acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    tamper.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    tamper.execute("CREATE TRIGGER keep BEFORE DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION keep()")
    tamper.execute("ALTER TABLE api_keys DROP CONSTRAINT api_keys_app_fkey")
    with pytest.raises(RowsLeftError, match=r"^postgres/api_keys$"):
        platform.erase(own)
    assert column_of(databases, own)["status"] == "erasing"
    tamper.execute("DROP TRIGGER keep ON api_keys")
    assert not any(platform.erase(own)["postgres"].values())


def test_the_last_contact_is_mailed_and_forgotten(
    platform: Platform, databases: Databases, mails: Mails, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.erase(own, times=2)
    assert owed(databases) == [("erased_mail", "admin@acme.example")]
    sweep(databases.platform, platform.redis, platform.world, now=AFTER)
    assert ("admin@acme.example", "Your organization's data was erased") in mails()
    with superuser(databases) as conn:
        [row] = conn.execute("SELECT o::text FROM organizations AS o WHERE id = %s", (own,)).fetchall()
    assert "acme" not in row[0].lower()
    assert owed(databases) == []


# ------------------------------------------------------------------------------------------------- what is left of it


def test_its_subdomain_and_what_looks_like_it_is_nobodys_for_a_year(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id, times=2)
    soon, later = PURGE + timedelta(days=364), PURGE + QUIET + timedelta(days=365)
    for subdomain in ("acme", "acrne"):
        with pytest.raises(SubdomainTakenError):
            provision_organization(databases.platform, platform.world, new_organization(subdomain), OPERATOR, now=soon)
    made = provision_organization(databases.platform, platform.world, new_organization("acme"), OPERATOR, now=later)
    assert made.organization.status is Status.ACTIVE


def test_tombstones_are_listed(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)
    page = list_page(databases.platform, status=Status.ERASED, tier=None, cursor=None, limit=10)
    assert [(each.id, each.name, each.tier) for each in page.organizations] == [
        (acme.organization.id, "erased", Tier.STARTER)
    ]


def test_its_audit_log_still_verifies(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    sweep(databases.platform, platform.redis, platform.world, now=datetime.now(UTC))
    platform.delete(acme.organization.id)
    platform.erase(acme.organization.id)
    sweep(databases.platform, platform.redis, platform.world, now=AFTER)
    assert verify_audit_log(databases.functions, platform.signer, acme.organization.id).broken is None
