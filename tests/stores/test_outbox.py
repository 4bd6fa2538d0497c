"""Outbox entries and leases: claims, their ends, retries and their order."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.outbox import (
    OutboxEntry,
    claim_entries,
    delete_entry,
    insert_outbox_entry,
    unclaim_entries,
    update_entry_failed,
)
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import NOW, Databases

LATER = NOW + timedelta(minutes=2)


def enqueue(
    databases: Databases, provisioned: Provisioned, kind: str = "welcome_mail", *, due_at: datetime = NOW
) -> None:
    with databases.platform.transaction() as conn:
        insert_outbox_entry(conn, provisioned.organization.id, kind, {"to": "x"}, due_at=due_at)


def claim_whole(databases: Databases, **changes: object) -> list[OutboxEntry]:
    values = {"now": NOW, "until": LATER, "limit": 10, "mails_each": 10, **changes}
    with databases.platform.transaction() as conn:
        return claim_entries(conn, **values)  # type: ignore[arg-type]


def claim(databases: Databases, **changes: object) -> list[int]:
    return [entry.id for entry in claim_whole(databases, **changes)]


def test_entry_is_due_again_after_its_claim_has_ended(databases: Databases, acme: Provisioned) -> None:
    enqueue(databases, acme)

    [entry] = claim(databases)

    assert claim(databases) == []
    assert claim(databases, now=LATER) == [entry]


def test_concurrent_claims_share_no_entry(databases: Databases, acme: Provisioned) -> None:
    for _ in range(4):
        enqueue(databases, acme)
    other = Database(lambda: databases.servers.postgres_url("tenancy_platform", databases.name))

    with databases.platform.transaction() as conn, other.transaction() as second:
        taken = claim_entries(conn, now=NOW, until=LATER, limit=2, mails_each=10)
        left = claim_entries(second, now=NOW, until=LATER, limit=4, mails_each=10)
    other.close()

    assert (len(taken), len(left)) == (2, 2)
    assert {entry.id for entry in taken}.isdisjoint(entry.id for entry in left)


def test_failed_entry_waits_until_it_is_due_again(databases: Databases, acme: Provisioned) -> None:
    enqueue(databases, acme)
    [entry] = claim_whole(databases)

    with databases.platform.transaction() as conn:
        update_entry_failed(conn, entry, error="SES did not accept the mail.", due_at=LATER)

    assert claim(databases, now=LATER - timedelta(seconds=1)) == []
    assert claim(databases, now=LATER) == [entry.id]


def test_deleted_entry_is_not_claimed(databases: Databases, acme: Provisioned) -> None:
    enqueue(databases, acme)
    [entry] = claim_whole(databases)

    with databases.platform.transaction() as conn:
        delete_entry(conn, entry)

    assert claim(databases, now=LATER) == []


def test_entries_of_one_organization_can_be_claimed(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    enqueue(databases, acme)
    enqueue(databases, globex)

    assert len(claim(databases, organization_id=globex.organization.id)) == 1
    assert len(claim(databases)) == 1


def test_mail_is_last_and_the_longest_due_is_first(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    enqueue(databases, acme, "deletion_mail", due_at=NOW - timedelta(hours=2))
    enqueue(databases, globex, "quota_mail", due_at=NOW - timedelta(hours=3))
    enqueue(databases, acme, "gateway_key")
    enqueue(databases, globex, "quota_event", due_at=NOW - timedelta(hours=1))

    with databases.platform.transaction() as conn:
        kinds = [entry.kind for entry in claim_entries(conn, now=NOW, until=LATER, limit=3, mails_each=10)]

    assert kinds == ["quota_event", "gateway_key", "quota_mail"]


def test_mails_of_one_organization_do_not_delay_other_entries(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for _ in range(9):
        enqueue(databases, acme, "deletion_mail", due_at=NOW - timedelta(hours=1))
        enqueue(databases, acme, "quota_event")
    enqueue(databases, globex)

    with databases.platform.transaction() as conn:
        claimed = claim_entries(conn, now=NOW, until=LATER, limit=100, mails_each=5)

    assert [entry.kind for entry in claimed] == ["quota_event"] * 9 + ["deletion_mail"] * 5 + ["welcome_mail"]
    assert len(claim(databases, mails_each=5)) == 4


def test_unclaimed_entry_is_as_before_its_claim(databases: Databases, acme: Provisioned) -> None:
    def rows() -> list[tuple[object, ...]]:
        with databases.platform.transaction() as conn:
            return conn.execute("SELECT attempts, due_at, claimed_until, last_error FROM outbox").fetchall()

    enqueue(databases, acme, due_at=NOW - timedelta(hours=1))
    before = rows()
    with databases.platform.transaction() as conn:
        entries = claim_entries(conn, now=NOW, until=LATER, limit=1, mails_each=1)

    with databases.platform.transaction() as conn:
        unclaim_entries(conn, entries)

    assert rows() == before
    assert len(claim(databases)) == 1


def take(databases: Databases, holder: UUID, *, now: datetime = NOW) -> bool:
    with databases.platform.transaction() as conn:
        return take_lease(conn, "sweep", holder, now=now, ends_at=LATER)


def give_back(databases: Databases, holder: UUID) -> None:
    with databases.platform.transaction() as conn:
        delete_lease(conn, "sweep", holder)


def test_lease_has_one_holder_until_it_ends(databases: Databases) -> None:
    first, second = uuid4(), uuid4()

    assert take(databases, first)
    assert not take(databases, second)
    assert take(databases, second, now=LATER)


def test_only_the_holder_can_delete_a_lease(databases: Databases) -> None:
    first, second = uuid4(), uuid4()
    assert take(databases, second)

    give_back(databases, first)
    assert not take(databases, first)

    give_back(databases, second)
    assert take(databases, first)
