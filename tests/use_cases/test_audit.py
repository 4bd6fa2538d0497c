"""From a record to a sealed chain: nothing is lost or doubled, and what was changed since is named."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from tenancy.audit import PLATFORM_LOG, Addressed, Outcome, Record
from tenancy.audit_chain import follow
from tenancy.stores.audit import Selection, insert_record
from tenancy.stores.aws import Aws
from tenancy.stores.signer import Signer
from tenancy.tenant import CallerKind
from tenancy.use_cases import read_audit
from tenancy.use_cases.cut_audit import cut_audit_logs
from tenancy.use_cases.provision import Provisioned
from tenancy.use_cases.read_audit import Verification, list_audit_entries, verify_audit_log
from tenancy.use_cases.record_audit import record_messages
from tenancy.use_cases.seal_audit import seal_audit_logs
from tests.given import OPERATOR, REGION, AwsAccount, Databases

NOW = datetime.now(UTC)
ALICE, BOB = (replace(OPERATOR, kind=CallerKind.PERSON, id=uuid4(), source_address=f"198.51.100.{n}") for n in (1, 2))
EVER = Selection(start=datetime(2020, 1, 1).date(), end=datetime(2100, 1, 1).date())  # noqa: DTZ001 - days


def read(number: int, *, occurred_at: datetime = NOW, **changes: object) -> Record:
    record = Record(
        occurred_at=occurred_at + timedelta(seconds=number),
        actor=ALICE,
        action="GET /v1/usage",
        target="/v1/usage",
        outcome=Outcome.DONE,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def write(databases: Databases, organization_id: UUID, *records: Record) -> None:
    with databases.platform.transaction() as conn:
        for record in records:
            insert_record(conn, organization_id, record)


def message(organization_id: UUID, record: Record) -> str:
    return msgspec.json.encode(Addressed(organization_id=organization_id, record=record)).decode()


@pytest.fixture
def signer(aws: AwsAccount) -> Iterator[Signer]:
    client = Aws("kms", REGION, aws.endpoint_url)
    yield Signer(client, aws.signing_key_id)
    client.close()


@pytest.fixture
def tamper(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """Whoever has the database's own superuser: what no wall keeps out, and only the chain shows."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        yield conn


def verify(databases: Databases, signer: Signer, organization_id: UUID) -> Verification:
    return verify_audit_log(databases.functions, signer, organization_id)


def test_provisioning_is_in_the_log_of_its_organization(databases: Databases, acme: Provisioned) -> None:
    page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=None, limit=10)
    [entry] = page.entries
    assert (entry.action, entry.outcome, entry.target) == (
        "organization.provisioned",
        "done",
        str(acme.organization.id),
    )
    assert (entry.actor_kind, entry.actor_id, entry.source_address, entry.request_id) == (
        "operator",
        OPERATOR.id,
        OPERATOR.source_address,
        OPERATOR.request_id,
    )


def test_a_message_that_comes_twice_is_written_once(databases: Databases, acme: Provisioned) -> None:
    text = message(acme.organization.id, read(1))
    for _ in range(2):
        assert record_messages(databases.platform, {"one": text, "again": text}) == []
    page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=None, limit=10)
    assert sorted(entry.action for entry in page.entries) == ["GET /v1/usage", "organization.provisioned"]


def test_a_message_that_is_no_record_does_not_keep_the_others_out(databases: Databases, acme: Provisioned) -> None:
    messages = {"bad": "{}", "worse": "\x00", "good": message(acme.organization.id, read(1))}
    assert record_messages(databases.platform, messages) == ["bad", "worse"]
    page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=None, limit=10)
    assert len(page.entries) == 2


def test_refusals_of_a_minute_become_one_sealed_record(databases: Databases, acme: Provisioned, signer: Signer) -> None:
    minute = (NOW - timedelta(minutes=10)).replace(second=0)
    refusals = [
        read(number, occurred_at=minute, outcome=Outcome.REFUSED, code="tenant_mismatch") for number in range(5)
    ]
    texts = {str(refusal.id): message(acme.organization.id, refusal) for refusal in refusals}
    for _ in range(2):
        record_messages(databases.platform, texts)
    seal_audit_logs(databases.platform, now=NOW)
    seal_audit_logs(databases.platform, now=NOW)
    page = list_audit_entries(
        databases.functions,
        acme.organization.id,
        replace(EVER, outcome=Outcome.REFUSED),
        cursor=None,
        limit=10,
    )
    assert [(entry.count, entry.code, entry.sequence) for entry in page.entries] == [(5, "tenant_mismatch", 1)]
    assert verify(databases, signer, acme.organization.id).broken is None


def test_a_refusal_waits_until_its_minute_is_over(databases: Databases, acme: Provisioned) -> None:
    refusal = read(0, outcome=Outcome.REFUSED, code="forbidden")
    record_messages(databases.platform, {"one": message(acme.organization.id, refusal)})
    seal_audit_logs(databases.platform, now=NOW)
    page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=None, limit=10)
    assert [entry.action for entry in page.entries] == ["organization.provisioned"]


def test_each_log_has_a_chain_of_its_own_that_later_records_continue(
    databases: Databases, acme: Provisioned, globex: Provisioned, signer: Signer
) -> None:
    write(databases, acme.organization.id, *(read(number) for number in range(5)))
    write(databases, PLATFORM_LOG, read(1))
    heads = seal_audit_logs(databases.platform, now=NOW)
    assert {organization_id: link.sequence for organization_id, link in heads.items()} == {
        acme.organization.id: 6,
        globex.organization.id: 1,
        PLATFORM_LOG: 1,
    }
    assert seal_audit_logs(databases.platform, now=NOW) == {}
    write(databases, acme.organization.id, read(-100))  # late: it happened before what is sealed
    assert verify(databases, signer, acme.organization.id).unsealed == 1
    assert seal_audit_logs(databases.platform, now=NOW)[acme.organization.id].sequence == 7
    for organization_id, last in ((acme.organization.id, 7), (globex.organization.id, 1), (PLATFORM_LOG, 1)):
        verification = verify(databases, signer, organization_id)
        assert (verification.broken, verification.last.sequence, verification.unsealed) == (None, last, 0)


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("UPDATE audit_log SET action = 'GET /v1/stats' WHERE sequence = 3", 3),
        ("UPDATE audit_log SET actor_id = gen_random_uuid() WHERE sequence = 3", 3),
        ("DELETE FROM audit_log WHERE sequence = 3", 3),
        ("DELETE FROM audit_log WHERE sequence = 1", 1),
        ("DELETE FROM audit_log WHERE sequence >= 5", 5),
        ("DELETE FROM audit_log", 1),
        (
            "UPDATE audit_people SET source_address = '192.0.2.1' FROM audit_log WHERE id = record_id AND sequence = 4",
            4,
        ),
        ("UPDATE audit_heads SET sequence = 9", 7),
    ],
)
def test_what_was_changed_behind_our_back_is_named(
    databases: Databases,
    acme: Provisioned,
    signer: Signer,
    tamper: psycopg.Connection[Any],
    statement: str,
    sequence: int,
) -> None:
    write(databases, acme.organization.id, *(read(number) for number in range(5)))
    seal_audit_logs(databases.platform, now=NOW)
    assert verify(databases, signer, acme.organization.id).broken is None
    tamper.execute(statement)
    broken = verify(databases, signer, acme.organization.id).broken
    assert broken is not None
    assert broken.sequence == sequence


def test_an_erased_person_leaves_a_chain_that_verifies(databases: Databases, acme: Provisioned, signer: Signer) -> None:
    write(databases, acme.organization.id, read(1), read(2, actor=BOB), read(3))
    seal_audit_logs(databases.platform, now=NOW)
    with databases.platform.transaction() as conn:
        conn.execute("DELETE FROM audit_people WHERE actor_id = %s", (ALICE.id,))
    assert verify(databases, signer, acme.organization.id).broken is None
    page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=None, limit=10)
    addresses = {entry.source_address for entry in page.entries if entry.actor_id in {ALICE.id, BOB.id}}
    assert addresses == {None, BOB.source_address}


def test_retention_cuts_what_is_too_old_and_the_rest_verifies(
    databases: Databases, acme: Provisioned, globex: Provisioned, signer: Signer
) -> None:
    long_ago = NOW - timedelta(days=400)  # past starter's 365 days, within growth's 730
    for organization in (acme, globex):
        write(databases, organization.organization.id, *(read(n, occurred_at=long_ago) for n in range(4)))
    seal_audit_logs(databases.platform, now=NOW)
    assert cut_audit_logs(databases.platform, signer, now=NOW) == 4
    assert cut_audit_logs(databases.platform, signer, now=NOW) == 0
    cut, whole = (verify(databases, signer, each.organization.id) for each in (acme, globex))
    assert (cut.broken, cut.first_sequence, cut.last.sequence) == (None, 5, 5)
    assert (whole.broken, whole.checkpoint, whole.last.sequence) == (None, None, 5)
    with databases.platform.transaction() as conn:
        statement = "SELECT count(*) FROM audit_people WHERE organization_id = %s"
        assert conn.execute(statement, (acme.organization.id,)).fetchone() == (1,)


def test_a_log_that_is_cut_to_nothing_goes_on_where_it_ended(databases: Databases, signer: Signer) -> None:
    write(databases, PLATFORM_LOG, *(read(number, occurred_at=NOW - timedelta(days=3000)) for number in range(3)))
    seal_audit_logs(databases.platform, now=NOW)
    assert cut_audit_logs(databases.platform, signer, now=NOW) == 3
    assert verify(databases, signer, PLATFORM_LOG).broken is None
    write(databases, PLATFORM_LOG, read(1))
    assert seal_audit_logs(databases.platform, now=NOW)[PLATFORM_LOG].sequence == 4
    verification = verify(databases, signer, PLATFORM_LOG)
    assert (verification.broken, verification.first_sequence, verification.last.sequence) == (None, 4, 4)


def test_a_checkpoint_that_was_not_signed_by_us_is_named(
    databases: Databases, acme: Provisioned, signer: Signer, tamper: psycopg.Connection[Any]
) -> None:
    write(databases, acme.organization.id, *(read(n, occurred_at=NOW - timedelta(days=400)) for n in range(4)))
    seal_audit_logs(databases.platform, now=NOW)
    cut_audit_logs(databases.platform, signer, now=NOW)
    tamper.execute("UPDATE audit_checkpoints SET cut_before = now()")
    broken = verify(databases, signer, acme.organization.id).broken
    assert broken is not None
    assert (broken.sequence, broken.reason) == (4, "the checkpoint's signature is not ours")


def test_nobody_of_ours_changes_or_deletes_an_entry(databases: Databases, acme: Provisioned) -> None:
    seal_audit_logs(databases.platform, now=NOW)
    forbidden = (
        "UPDATE audit_log SET action = 'x'",
        "UPDATE audit_log SET occurred_at = now()",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log CASCADE",
        "DELETE FROM audit_heads",
        "DELETE FROM audit_checkpoints",
        "UPDATE audit_checkpoints SET sequence = 9",
        "UPDATE audit_people SET source_address = 'x'",
    )
    for statement in forbidden:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            databases.functions.tenant_transaction(acme.organization.id) as conn,
        ):
            conn.execute(statement)
    for statement in set(forbidden) - {"DELETE FROM audit_log"}:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            databases.platform.transaction() as conn,
        ):
            conn.execute(statement)


def test_even_the_platform_deletes_and_reseals_nothing_that_is_sealed(databases: Databases, acme: Provisioned) -> None:
    seal_audit_logs(databases.platform, now=NOW)
    with databases.platform.transaction() as conn:
        assert conn.execute("DELETE FROM audit_log").rowcount == 0
        assert conn.execute("UPDATE audit_log SET sequence = 7, seal = sha256('x')").rowcount == 0
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.platform.transaction() as conn,
    ):
        conn.execute(
            "INSERT INTO audit_checkpoints VALUES (%s, 1, sha256('x'), now() - interval '364 days', 'x')",
            (acme.organization.id,),
        )


def test_a_page_goes_on_where_the_one_before_ended(databases: Databases, acme: Provisioned) -> None:
    write(databases, acme.organization.id, *(read(number, occurred_at=NOW) for number in range(1, 8)))
    seen, cursor = [], None
    while True:
        page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=cursor, limit=3)
        seen += [entry.occurred_at for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 8


def test_what_is_sealed_or_cut_while_a_log_is_verified_breaks_nothing(
    databases: Databases, acme: Provisioned, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        databases, acme.organization.id, *(read(number, occurred_at=NOW - timedelta(days=400)) for number in range(3))
    )
    seal_audit_logs(databases.platform, now=NOW)

    def follow_late(*arguments: Any) -> Any:  # noqa: ANN401
        followed = follow(*arguments)
        write(databases, acme.organization.id, read(1))
        seal_audit_logs(databases.platform, now=NOW)
        cut_audit_logs(databases.platform, signer, now=NOW)
        return followed

    monkeypatch.setattr(read_audit, "follow", follow_late)
    assert verify(databases, signer, acme.organization.id).broken is None
    monkeypatch.undo()
    assert verify(databases, signer, acme.organization.id).first_sequence == 4
