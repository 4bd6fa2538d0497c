"""Records become entries of a sealed chain, each exactly once."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from tenancy.rules.audit_chain import CHAIN_START, seal_entry
from tenancy.rules.audit_record import PLATFORM_LOG, AuditOutcome, AuditRecord
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.platform.audit_logs import SealedMeanwhileError, list_unsealed, update_seals
from tenancy.use_cases.audit import seal_audit
from tenancy.use_cases.audit.read_audit import list_audit_entries, verify_audit_log
from tenancy.use_cases.audit.record_audit import record_messages
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import OPERATOR, Databases
from tests.handlers.functions import superuser
from tests.use_cases.audit_records import ALICE, BOB, EVER, NOW, entries, message, messages, read, refusal, write

MOVE = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, 'moved', 'second', %s)
    ON CONFLICT DO NOTHING
"""


def test_provisioning_is_in_the_audit_log(databases: Databases, acme: Provisioned) -> None:
    [entry] = entries(databases, acme.organization.id)

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


def test_duplicate_message_is_written_once(databases: Databases, acme: Provisioned) -> None:
    text = message(acme.organization.id, read(1))

    for _ in range(2):
        assert record_messages(databases.platform, {"one": text, "again": text}) == []

    actions = sorted(entry.action for entry in entries(databases, acme.organization.id))
    assert actions == ["GET /v1/usage", "organization.provisioned"]


def test_records_are_written_in_the_order_of_their_ids(databases: Databases, acme: Provisioned) -> None:
    """Else two runs with the same records in different orders wait for each other."""
    records = sorted((read(number) for number in range(5)), key=lambda record: record.id, reverse=True)

    assert record_messages(databases.platform, messages(acme.organization.id, *records)) == []

    with superuser(databases) as conn:
        written = [found for (found,) in conn.execute("SELECT id FROM audit_log ORDER BY ctid")]
    assert written[-5:] == [record.id for record in reversed(records)]


def test_malformed_message_does_not_block_the_others(databases: Databases, acme: Provisioned) -> None:
    texts = {"bad": "{}", "worse": "\x00", "good": message(acme.organization.id, read(1))}

    assert record_messages(databases.platform, texts) == ["bad", "worse"]
    assert len(entries(databases, acme.organization.id)) == 2


def test_record_with_a_null_byte_does_not_block_the_others(databases: Databases, acme: Provisioned) -> None:
    bad = [read(1, target="a\x00b"), read(2, outcome=AuditOutcome.REFUSED, code="a\x00b")]

    texts = messages(acme.organization.id, read(3), *bad, read(4))

    assert record_messages(databases.platform, texts) == ["message-1", "message-2"]
    assert len(entries(databases, acme.organization.id)) == 3


def test_refusals_of_a_minute_become_one_sealed_record(databases: Databases, acme: Provisioned, signer: Signer) -> None:
    texts = messages(acme.organization.id, *(refusal(number) for number in (3, 17, 59, 18)))

    for _ in range(2):
        record_messages(databases.platform, texts)
        seal_audit_logs(databases.platform, now=NOW)

    [entry] = entries(databases, acme.organization.id, AuditOutcome.REFUSED)
    assert (entry.count, entry.code, entry.sequence) == (4, "tenant_mismatch", 1)
    assert entry.occurred_at == refusal(3).occurred_at
    assert verify_audit_log(databases.functions, signer, acme.organization.id).broken is None


def test_redelivered_refusal_is_counted_once(databases: Databases, acme: Provisioned) -> None:
    refusals = [refusal(number) for number in range(9)]
    record_messages(databases.platform, messages(acme.organization.id, *refusals[:5]))
    seal_audit_logs(databases.platform, now=NOW)
    record_messages(databases.platform, messages(acme.organization.id, *refusals[:1], *refusals[5:]))
    seal_audit_logs(databases.platform, now=NOW + timedelta(minutes=1))
    record_messages(databases.platform, messages(acme.organization.id, *refusals))

    seal_audit_logs(databases.platform, now=NOW + timedelta(minutes=2))

    assert [entry.count for entry in entries(databases, acme.organization.id, AuditOutcome.REFUSED)] in ([5, 4], [4, 5])


@pytest.mark.parametrize(
    "other",
    [
        refusal(60),
        refusal(action="GET /v1/stats"),
        refusal(code="forbidden"),
        refusal(target="host"),
        refusal(actor=replace(ALICE, id=BOB.id)),
        refusal(actor=replace(ALICE, source_address=BOB.source_address)),
    ],
    ids=["minute", "action", "code", "target", "credential", "address"],
)
def test_different_refusals_are_counted_apart(databases: Databases, acme: Provisioned, other: AuditRecord) -> None:
    record_messages(databases.platform, messages(acme.organization.id, refusal(), other))

    seal_audit_logs(databases.platform, now=NOW)

    assert [entry.count for entry in entries(databases, acme.organization.id, AuditOutcome.REFUSED)] == [1, 1]


def test_refusals_are_counted_over_several_transactions(
    databases: Databases, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal_audit, "REFUSALS", 3)
    for organization in (acme, globex):
        record_messages(
            databases.platform, messages(organization.organization.id, *(refusal(number) for number in range(7)))
        )
    seal_audit_logs(databases.platform, now=NOW)

    for organization in (acme, globex):
        found = entries(databases, organization.organization.id, AuditOutcome.REFUSED)
        assert sum(entry.count for entry in found) == 7


def test_counted_refusal_loses_its_address_and_then_its_row(databases: Databases, acme: Provisioned) -> None:
    def kept() -> list[tuple[str]]:
        with databases.platform.transaction() as conn:
            return conn.execute("SELECT source_address FROM audit_refusals").fetchall()

    record_messages(databases.platform, messages(acme.organization.id, refusal()))

    assert kept() == [(ALICE.source_address,)]

    seal_audit_logs(databases.platform, now=NOW)
    assert kept() == [("",)]

    seal_audit_logs(databases.platform, now=NOW + timedelta(days=31))
    assert kept() == []


def test_refusal_is_not_counted_before_its_minute_is_over(databases: Databases, acme: Provisioned) -> None:
    young = read(0, outcome=AuditOutcome.REFUSED, code="forbidden")
    record_messages(databases.platform, messages(acme.organization.id, young))

    seal_audit_logs(databases.platform, now=NOW)

    assert [entry.action for entry in entries(databases, acme.organization.id)] == ["organization.provisioned"]


def test_concurrent_sealers_never_fork_a_log(databases: Databases, acme: Provisioned, signer: Signer) -> None:
    write(databases, acme.organization.id, read(1), read(2))
    with databases.platform.transaction() as conn:
        slow = list_unsealed(conn, acme.organization.id, limit=1)
    seal_audit_logs(databases.platform, now=NOW)

    with pytest.raises(SealedMeanwhileError), databases.platform.transaction() as conn:
        update_seals(conn, acme.organization.id, {slow[0].id: seal_entry(CHAIN_START, slow[0])})

    write(databases, acme.organization.id, read(3))

    assert seal_audit_logs(databases.platform, now=NOW).heads[acme.organization.id].sequence == 4
    assert verify_audit_log(databases.functions, signer, acme.organization.id).broken is None


def test_log_of_an_organization_that_moves_meanwhile_has_no_head(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    """Its rows are hidden when its turn comes. The copy of the seals in the logs must not say that it begins anew."""
    seal_audit_logs(databases.platform, now=NOW)
    for each in (acme, globex):
        write(databases, each.organization.id, read(1))

    def move_acme() -> bool:
        with superuser(databases) as conn:
            conn.execute(MOVE, (acme.organization.id, uuid4()))
        return True

    done = seal_audit_logs(databases.platform, now=NOW, has_time=move_acme)

    assert (list(done.heads), done.failures) == ([globex.organization.id], [])


def test_later_records_continue_the_chain_of_their_log(
    databases: Databases, acme: Provisioned, globex: Provisioned, signer: Signer
) -> None:
    write(databases, acme.organization.id, *(read(number) for number in range(5)))
    write(databases, PLATFORM_LOG, read(1))

    heads = seal_audit_logs(databases.platform, now=NOW).heads

    assert {organization_id: link.sequence for organization_id, link in heads.items()} == {
        acme.organization.id: 6,
        globex.organization.id: 1,
        PLATFORM_LOG: 1,
    }
    assert seal_audit_logs(databases.platform, now=NOW).heads == {}

    write(databases, acme.organization.id, read(-100))  # late: older than the sealed entries

    assert verify_audit_log(databases.functions, signer, acme.organization.id).unsealed == 1
    assert seal_audit_logs(databases.platform, now=NOW).heads[acme.organization.id].sequence == 7

    for organization_id, last in ((acme.organization.id, 7), (globex.organization.id, 1), (PLATFORM_LOG, 1)):
        verification = verify_audit_log(databases.functions, signer, organization_id)
        assert (verification.broken, verification.last.sequence, verification.unsealed) == (None, last, 0)


def test_page_starts_after_the_previous_page(databases: Databases, acme: Provisioned) -> None:
    write(databases, acme.organization.id, *(read(number, occurred_at=NOW) for number in range(1, 8)))
    seen, cursor = [], None

    while True:
        page = list_audit_entries(databases.functions, acme.organization.id, EVER, cursor=cursor, limit=3)
        seen += [entry.occurred_at for entry in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 8
