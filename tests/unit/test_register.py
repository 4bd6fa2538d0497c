"""The register: a reader cannot derive an id or a name from its entries."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.erasures import ErasureJob, ErasureStatus, SubjectKind, SubjectRows, hash_subject
from tenancy.rules.register import (
    MalformedRegisterError,
    RegisteredChanges,
    RegisterEntry,
    digest_of,
    ended_keys,
    erased_organization,
    erased_subject,
    marked_deletion,
    undone_deletion,
)
from tests.members import for_each

ACME, GLOBEX = UUID("0a000000-0000-4000-8000-00000000000a"), UUID("0b000000-0000-4000-8000-00000000000b")
KEY = UUID("0c000000-0000-4000-8000-00000000000c")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SUBJECT = hash_subject(SubjectKind.USER_ID, "jane@acme.example")
JOB = ErasureJob(
    id=UUID("0d000000-0000-4000-8000-00000000000d"),
    organization_id=ACME,
    actor_kind="person",
    actor_id=UUID("0e000000-0000-4000-8000-00000000000e"),
    status=ErasureStatus.PENDING,
    subject=SUBJECT,
    requested_at=NOW,
    found=SubjectRows(),
    covered_until=None,
)
ENTRIES = [erased_organization(ACME, closed_at=NOW), ended_keys(ACME, [KEY], ends_at=NOW), erased_subject(JOB)]


def read(*entries: RegisterEntry) -> RegisteredChanges:
    changes = RegisteredChanges()
    for entry in entries:
        changes.add(entry.name, entry.body)
    return changes


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name.partition("/")[0])
def test_entry_has_no_id_of_an_organization_key_or_person(entry: RegisterEntry) -> None:
    text = entry.name + entry.body.decode()

    for hidden in (ACME, KEY, JOB.actor_id, "jane"):
        assert str(hidden) not in text
        assert str(hidden).replace("-", "") not in text


def test_entry_is_the_same_each_time() -> None:
    again = [erased_organization(ACME, closed_at=NOW), ended_keys(ACME, [KEY], ends_at=NOW), erased_subject(JOB)]

    assert [(each.name, each.body) for each in again] == [(each.name, each.body) for each in ENTRIES]


def test_digests_of_equal_ids_in_two_organizations_differ() -> None:
    digests = [digest_of(ACME), digest_of(GLOBEX), digest_of(ACME, KEY), digest_of(GLOBEX, KEY)]

    assert len(set(digests)) == 4


def test_all_kinds_of_entries_are_read() -> None:
    changes = read(*ENTRIES, ended_keys(PLATFORM_LOG, [KEY], ends_at=NOW))

    assert changes.organizations == {digest_of(ACME)}
    assert changes.key_ends == {
        digest_of(ACME): {digest_of(ACME, KEY): NOW},
        digest_of(PLATFORM_LOG): {digest_of(PLATFORM_LOG, KEY): NOW},
    }
    [erasure] = changes.subjects[digest_of(ACME)]
    assert (erasure.id, erasure.subject, erasure.requested_at) == (JOB.id, SUBJECT, NOW)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([marked_deletion(ACME, 1, purge_at=NOW)], (1, NOW)),
        ([marked_deletion(ACME, 1, purge_at=NOW), undone_deletion(ACME, 1)], (1, None)),
        ([undone_deletion(ACME, 1), marked_deletion(ACME, 2, purge_at=NOW)], (2, NOW)),
        ([undone_deletion(ACME, 10), marked_deletion(ACME, 9, purge_at=NOW)], (10, None)),
    ],
)
def test_last_deletion_counts_unless_it_was_undone(
    entries: list[RegisterEntry], expected: tuple[int, datetime | None]
) -> None:
    assert read(*entries).last_deletion(digest_of(ACME)) == expected


def test_first_end_of_a_key_counts() -> None:
    ends = [NOW, NOW - timedelta(hours=1), NOW + timedelta(hours=1)]

    changes = read(*(ended_keys(ACME, [KEY], ends_at=each) for each in ends))

    assert changes.key_ends[digest_of(ACME)] == {digest_of(ACME, KEY): NOW - timedelta(hours=1)}


D = digest_of(ACME)
NO_ENTRIES = [
    ("organizations/", b""),  # a folder of the S3 console
    ("organizations/acme", b"{}"),
    ("keys", b"{}"),
    (f"keys/{D}/b", b"{}"),
    (f"keys/{D}/b", b"{"),
    (f"keys/{D}/b", b"\xff"),
    (f"keys/{D}/b", b"[" * 200_000),
    (f"keys/{D}/b", b'{"ends_at": "2026-11-24T12:00:00", "keys": []}'),  # without a time zone
    (f"other/{D}", b"{}"),
    (f"deletions/{D}", b'{"purge_at": "2026-11-24T12:00:00Z"}'),
    (f"deletions/{D}/x", b'{"purge_at": "2026-11-24T12:00:00Z"}'),
    (f"deletions/{D}/2147483648", b'{"purge_at": "2026-11-24T12:00:00Z"}'),
    (f"deletions/{D}/1", b'{"purge_at": "9999-11-24T12:00:00Z"}'),
    (f"deletions/{D}/1/other", b"{}"),
    (f"subjects/{D}/b", b"[]"),
    (f"subjects/{D}/b", b'{"subject_kind": "user_id", "salt": 1}'),
]


@for_each(("name", "body"), NO_ENTRIES)
def test_object_that_is_no_entry_is_named(name: str, body: bytes) -> None:
    with pytest.raises(MalformedRegisterError, match=name):
        RegisteredChanges().add(name, body)


def test_object_that_is_no_entry_hides_no_entry() -> None:
    changes = RegisteredChanges()

    for name, body in [*NO_ENTRIES, *((entry.name, entry.body) for entry in ENTRIES)]:
        changes.add_found(name, body)

    assert changes.malformed == [name for name, _ in NO_ENTRIES]
    assert (changes.deletions, changes.undone) == ({}, {})
    assert changes.organizations == changes.subjects.keys() == changes.key_ends.keys() == {D}
