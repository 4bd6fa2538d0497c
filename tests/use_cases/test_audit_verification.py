"""Verification of an audit log names the first entry that was changed after its seal."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tenancy.rules.audit_chain import verify_chain
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.aws.signer import Signer
from tenancy.use_cases.audit import read_audit
from tenancy.use_cases.audit.prune_audit import prune_audit_logs
from tenancy.use_cases.audit.read_audit import Verification, verify_audit_log
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.audit_records import ALICE, BOB, LONG_AGO, NOW, entries, read, write


def verify(databases: Databases, signer: Signer, organization_id: UUID) -> Verification:
    return verify_audit_log(databases.functions, signer, organization_id)


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
def test_verification_names_the_first_changed_entry(
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


def test_chain_verifies_after_a_person_is_erased(
    databases: Databases, acme: Provisioned, signer: Signer, tamper: psycopg.Connection[Any]
) -> None:
    write(databases, acme.organization.id, read(1), read(2, actor=BOB), read(3))
    seal_audit_logs(databases.platform, now=NOW)

    tamper.execute("DELETE FROM audit_people WHERE actor_id = %s", (ALICE.id,))

    assert verify(databases, signer, acme.organization.id).broken is None

    found = entries(databases, acme.organization.id)
    assert {entry.source_address for entry in found if entry.actor_id in {ALICE.id, BOB.id}} == {
        None,
        BOB.source_address,
    }


def test_chain_verifies_after_old_entries_are_pruned(
    databases: Databases, acme: Provisioned, globex: Provisioned, signer: Signer
) -> None:
    for organization in (acme, globex):
        write(databases, organization.organization.id, *(read(n, occurred_at=LONG_AGO) for n in range(4)))

    seal_audit_logs(databases.platform, now=NOW)

    assert prune_audit_logs(databases.platform, signer, now=NOW) == 4
    assert prune_audit_logs(databases.platform, signer, now=NOW) == 0

    cut, whole = (verify(databases, signer, each.organization.id) for each in (acme, globex))
    assert (cut.broken, cut.start.sequence, cut.last.sequence) == (None, 4, 5)
    assert (whole.broken, whole.checkpoint, whole.last.sequence) == (None, None, 5)

    with databases.platform.transaction() as conn:
        statement = "SELECT count(*) FROM audit_people WHERE organization_id = %s"
        assert conn.execute(statement, (acme.organization.id,)).fetchone() == (1,)


def test_audit_retention_of_an_override_applies_to_its_log(
    databases: Databases, acme: Provisioned, globex: Provisioned, signer: Signer, tamper: psycopg.Connection[Any]
) -> None:
    for organization in (acme, globex):
        write(databases, organization.organization.id, *(read(n, occurred_at=LONG_AGO) for n in range(4)))
    seal_audit_logs(databases.platform, now=NOW)
    statement = "UPDATE organizations SET overrides = jsonb_build_object('audit_retention_days', %s::int) WHERE id = %s"
    tamper.execute(statement, (2_555, acme.organization.id))
    tamper.execute(statement, (365, globex.organization.id))

    assert prune_audit_logs(databases.platform, signer, now=NOW) == 4

    kept, cut = (verify(databases, signer, each.organization.id) for each in (acme, globex))
    assert (kept.broken, kept.checkpoint) == (None, None)
    assert (cut.broken, cut.start.sequence) == (None, 4)


def test_fully_pruned_log_continues_its_sequence(databases: Databases, signer: Signer) -> None:
    write(databases, PLATFORM_LOG, *(read(number, occurred_at=NOW - timedelta(days=3000)) for number in range(3)))

    seal_audit_logs(databases.platform, now=NOW)

    assert prune_audit_logs(databases.platform, signer, now=NOW) == 3
    assert verify(databases, signer, PLATFORM_LOG).broken is None

    write(databases, PLATFORM_LOG, read(1))
    assert seal_audit_logs(databases.platform, now=NOW).heads[PLATFORM_LOG].sequence == 4

    verification = verify(databases, signer, PLATFORM_LOG)
    assert (verification.broken, verification.start.sequence, verification.last.sequence) == (None, 3, 4)


def test_changed_checkpoint_fails_verification(
    databases: Databases, acme: Provisioned, signer: Signer, tamper: psycopg.Connection[Any]
) -> None:
    write(databases, acme.organization.id, *(read(n, occurred_at=LONG_AGO) for n in range(4)))
    seal_audit_logs(databases.platform, now=NOW)
    prune_audit_logs(databases.platform, signer, now=NOW)

    tamper.execute("UPDATE audit_checkpoints SET cut_before = now()")

    broken = verify(databases, signer, acme.organization.id).broken
    assert broken is not None
    assert (broken.sequence, broken.reason) == (4, "the checkpoint's signature does not verify")


def test_sealing_and_pruning_during_verification_break_nothing(
    databases: Databases, acme: Provisioned, signer: Signer
) -> None:
    write(databases, acme.organization.id, *(read(number, occurred_at=LONG_AGO) for number in range(3)))
    seal_audit_logs(databases.platform, now=NOW)

    def verify_and_change(*arguments: Any) -> Any:  # noqa: ANN401
        followed = verify_chain(*arguments)
        write(databases, acme.organization.id, read(1))
        seal_audit_logs(databases.platform, now=NOW)
        prune_audit_logs(databases.platform, signer, now=NOW)
        return followed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_audit, "verify_chain", verify_and_change)
        meanwhile = verify(databases, signer, acme.organization.id)

    assert meanwhile.broken is None
    assert verify(databases, signer, acme.organization.id).start.sequence == 3


def test_entry_restored_below_a_checkpoint_is_named(
    databases: Databases, acme: Provisioned, signer: Signer, tamper: psycopg.Connection[Any]
) -> None:
    write(databases, acme.organization.id, *(read(number, occurred_at=LONG_AGO) for number in range(3)))
    seal_audit_logs(databases.platform, now=NOW)
    prune_audit_logs(databases.platform, signer, now=NOW)
    write(databases, acme.organization.id, read(1))
    forged = "UPDATE audit_log SET sequence = 2, seal = sha256('x') WHERE sequence IS NULL"

    with pytest.raises(psycopg.errors.InsufficientPrivilege), databases.platform.transaction() as conn:
        conn.execute(forged)

    tamper.execute(forged)

    broken = verify(databases, signer, acme.organization.id).broken
    assert broken is not None
    assert (broken.sequence, broken.reason) == (2, "a pruned entry is in the log again")


def test_long_log_is_verified_in_several_calls(
    databases: Databases, acme: Provisioned, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_audit, "MAX_ENTRIES", 2)
    write(databases, acme.organization.id, *(read(number) for number in range(4)))
    seal_audit_logs(databases.platform, now=NOW)
    after, seen = None, []

    for _ in range(3):
        verification = verify_audit_log(databases.functions, signer, acme.organization.id, after=after)
        after = verification.last
        seen.append((verification.broken, verification.last.sequence, verification.is_complete))

    assert seen == [(None, 2, False), (None, 4, False), (None, 5, True)]


def test_rewritten_log_does_not_continue_a_known_seal(
    databases: Databases, acme: Provisioned, signer: Signer, tamper: psycopg.Connection[Any]
) -> None:
    seal_audit_logs(databases.platform, now=NOW)

    kept = verify(databases, signer, acme.organization.id).last
    assert verify_audit_log(databases.functions, signer, acme.organization.id, after=kept).broken is None

    tamper.execute("DELETE FROM audit_log")
    tamper.execute("DELETE FROM audit_heads")
    write(databases, acme.organization.id, read(1), read(2))

    seal_audit_logs(databases.platform, now=NOW)

    assert verify(databases, signer, acme.organization.id).broken is None
    assert verify_audit_log(databases.functions, signer, acme.organization.id, after=kept).broken is not None
