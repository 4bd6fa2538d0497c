"""Effects that are owed: claimed by one, due again when the claim has ended, struck when done."""

from datetime import datetime, timedelta
from uuid import uuid4

from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.outbox import (
    claim_entries,
    delete_entry,
    insert_outbox_entry,
    unclaim_entries,
    update_entry_failed,
)
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import NOW, Databases

LATER = NOW + timedelta(minutes=2)


def owe(databases: Databases, who: Provisioned, kind: str = "welcome_mail", *, due_at: datetime = NOW) -> None:
    with databases.platform.transaction() as conn:
        insert_outbox_entry(conn, who.organization.id, kind, {"to": "x"}, due_at=due_at)


def claim(databases: Databases, **changes: object) -> list[int]:
    values = {"now": NOW, "until": LATER, "limit": 10, "mails_each": 10, **changes}
    with databases.platform.transaction() as conn:
        return [entry.id for entry in claim_entries(conn, **values)]  # type: ignore[arg-type]


def test_a_claimed_effect_is_due_again_when_its_claim_has_ended(databases: Databases, acme: Provisioned) -> None:
    owe(databases, acme)
    [entry] = claim(databases)
    assert claim(databases) == []
    assert claim(databases, now=LATER) == [entry]


def test_two_claims_at_once_share_no_effect(databases: Databases, acme: Provisioned) -> None:
    for _ in range(4):
        owe(databases, acme)
    other = Database(lambda: databases.servers.postgres_url("tenancy_platform", databases.name))
    with databases.platform.transaction() as conn, other.transaction() as second:
        taken = claim_entries(conn, now=NOW, until=LATER, limit=2, mails_each=10)
        left = claim_entries(second, now=NOW, until=LATER, limit=4, mails_each=10)
    other.close()
    assert (len(taken), len(left)) == (2, 2)
    assert {entry.id for entry in taken}.isdisjoint(entry.id for entry in left)


def test_a_failed_effect_waits_and_says_why(databases: Databases, acme: Provisioned) -> None:
    owe(databases, acme)
    [entry] = claim(databases)
    with databases.platform.transaction() as conn:
        update_entry_failed(conn, entry, error="SES does not take the mail.", due_at=LATER)
    assert claim(databases, now=LATER - timedelta(seconds=1)) == []
    assert claim(databases, now=LATER) == [entry]


def test_an_effect_that_is_done_is_gone(databases: Databases, acme: Provisioned) -> None:
    owe(databases, acme)
    [entry] = claim(databases)
    with databases.platform.transaction() as conn:
        delete_entry(conn, entry)
    assert claim(databases, now=LATER) == []


def test_one_organizations_effects_can_be_claimed_alone(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    owe(databases, acme)
    owe(databases, globex)
    assert len(claim(databases, organization_id=globex.organization.id)) == 1
    assert len(claim(databases)) == 1


def test_what_is_no_mail_comes_first_then_what_is_due_longest(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    owe(databases, acme, "deletion_mail", due_at=NOW - timedelta(hours=2))
    owe(databases, globex, "quota_mail", due_at=NOW - timedelta(hours=3))
    owe(databases, acme, "gateway_key")
    owe(databases, globex, "quota_event", due_at=NOW - timedelta(hours=1))
    with databases.platform.transaction() as conn:
        kinds = [entry.kind for entry in claim_entries(conn, now=NOW, until=LATER, limit=3, mails_each=10)]
    assert kinds == ["quota_event", "gateway_key", "quota_mail"]


def test_one_organizations_mails_leave_room_for_anothers_and_its_other_effects(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for _ in range(9):
        owe(databases, acme, "deletion_mail", due_at=NOW - timedelta(hours=1))
        owe(databases, acme, "quota_event")
    owe(databases, globex)
    with databases.platform.transaction() as conn:
        claimed = claim_entries(conn, now=NOW, until=LATER, limit=100, mails_each=5)
    assert [entry.kind for entry in claimed] == ["quota_event"] * 9 + ["deletion_mail"] * 5 + ["welcome_mail"]
    assert len(claim(databases, mails_each=5)) == 4


def test_what_is_given_back_is_as_due_as_before_and_was_not_tried(databases: Databases, acme: Provisioned) -> None:
    def rows() -> list[tuple[object, ...]]:
        with databases.platform.transaction() as conn:
            return conn.execute("SELECT attempts, due_at, claimed_until, last_error FROM outbox").fetchall()

    owe(databases, acme, due_at=NOW - timedelta(hours=1))
    before = rows()
    with databases.platform.transaction() as conn:
        entries = claim_entries(conn, now=NOW, until=LATER, limit=1, mails_each=1)
    with databases.platform.transaction() as conn:
        unclaim_entries(conn, entries)
    assert rows() == before
    assert len(claim(databases)) == 1


def test_a_lease_has_one_holder_until_it_ends_or_is_given_back(databases: Databases) -> None:
    first, second = uuid4(), uuid4()

    def take(holder: object, now: object = NOW) -> bool:
        with databases.platform.transaction() as conn:
            return take_lease(conn, "sweep", holder, now=now, ends_at=LATER)  # type: ignore[arg-type]

    assert take(first)
    assert not take(second)
    assert take(second, now=LATER)
    with databases.platform.transaction() as conn:
        delete_lease(conn, "sweep", first)
    assert not take(first)
    with databases.platform.transaction() as conn:
        delete_lease(conn, "sweep", second)
    assert take(first)
