"""A chain shows changed, removed, inserted and swapped entries."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.audit_chain import (
    CHAIN_START,
    AuditEntry,
    BrokenLink,
    ChainLink,
    personal_digest,
    seal_entry,
    verify_chain,
)
from tests.members import for_each

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SALT = b"0123456789abcdef"


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        id=UUID(int=number),
        organization_id=UUID(int=10),
        occurred_at=NOON + timedelta(seconds=number),
        actor_kind="person",
        actor_id=UUID(int=20),
        action="GET /v1/usage",
        target="/v1/usage",
        outcome="done",
        code="",
        count=1,
        request_id=f"request-{number}",
        personal_digest=personal_digest(SALT, "203.0.113.10"),
        salt=SALT,
        source_address="203.0.113.10",
        sequence=None,
        seal=None,
    )


def sealed(numbers: int = 4, before: ChainLink = CHAIN_START) -> list[AuditEntry]:
    entries = []
    for number in range(1, numbers + 1):
        before = seal_entry(before, entry(number))
        entries.append(replace(entry(number), sequence=before.sequence, seal=before.seal))
    return entries


def test_untouched_chain_is_valid() -> None:
    entries = sealed()
    assert verify_chain(CHAIN_START, entries) == (ChainLink(sequence=4, seal=entries[-1].seal or b""), None)


def test_chain_continues_after_a_cut() -> None:
    entries = sealed()
    cut = ChainLink(sequence=2, seal=entries[1].seal or b"")

    assert verify_chain(cut, entries[2:])[1] is None
    assert verify_chain(CHAIN_START, entries[2:])[1] == BrokenLink(sequence=1, reason="the entry is missing")


CHANGES: dict[str, object] = {
    "id": UUID(int=99),
    "organization_id": UUID(int=11),
    "occurred_at": NOON,
    "actor_kind": "operator",
    "actor_id": UUID(int=21),
    "action": "GET /v1/stats",
    "target": "/v1/stats",
    "outcome": "refused",
    "code": "forbidden",
    "count": 2,
    "request_id": "request-9",
    "personal_digest": bytes(32),
    "salt": b"another salt",
    "source_address": "203.0.113.11",
    "sequence": 9,
    "seal": bytes(32),
}


@for_each("name", [field.name for field in fields(AuditEntry)])
def test_changed_value_breaks_the_chain_at_its_entry(name: str) -> None:
    entries = sealed()
    entries[2] = replace(entries[2], **{name: CHANGES[name]})  # type: ignore[arg-type]

    last, broken = verify_chain(CHAIN_START, entries)

    assert last.sequence == 2
    assert broken is not None
    assert broken.sequence == 3


@pytest.mark.parametrize(
    "tamper",
    [
        lambda entries: entries[:1] + entries[2:],
        lambda entries: [entries[0], entries[2], entries[1], entries[3]],
        lambda entries: [entries[0], entries[0], *entries[1:]],
        lambda entries: [entries[0], replace(entries[2], sequence=2), *entries[2:]],
    ],
    ids=["taken out", "swapped", "doubled", "put in"],
)
def test_moved_entries_break_the_chain(tamper: Callable[[list[AuditEntry]], list[AuditEntry]]) -> None:
    _, broken = verify_chain(CHAIN_START, tamper(sealed()))

    assert broken is not None
    assert broken.sequence == 2


def test_erased_personal_values_do_not_break_the_chain() -> None:
    entries = [replace(each, salt=None, source_address=None) for each in sealed()]
    assert verify_chain(CHAIN_START, entries)[1] is None


def test_half_erased_personal_values_break_the_chain() -> None:
    entries = sealed()
    entries[1] = replace(entries[1], salt=None)

    _, broken = verify_chain(CHAIN_START, entries)

    assert broken == BrokenLink(sequence=2, reason="the personal values do not match their digest")


def test_digest_depends_on_the_salt() -> None:
    assert personal_digest(SALT, "203.0.113.10") != personal_digest(b"another salt 123", "203.0.113.10")
