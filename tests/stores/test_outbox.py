"""Effects that are owed: claimed by one, due again when the claim has ended, struck when done."""

from datetime import timedelta
from uuid import uuid4

from tenancy.stores.platform.leases import delete_lease, take_lease
from tenancy.stores.platform.outbox import claim_effects, delete_effect, insert_effect, update_effect_failed
from tenancy.stores.postgres import Database
from tenancy.use_cases.provision import Provisioned
from tests.given import NOW, Databases

LATER = NOW + timedelta(minutes=2)


def owe(databases: Databases, organization: Provisioned) -> None:
    with databases.platform.transaction() as conn:
        insert_effect(conn, organization.organization.id, "welcome_mail", {"to": "x"}, due_at=NOW)


def claim(databases: Databases, **changes: object) -> list[int]:
    values = {"now": NOW, "again_at": LATER, "limit": 10, **changes}
    with databases.platform.transaction() as conn:
        return [effect.id for effect in claim_effects(conn, **values)]  # type: ignore[arg-type]


def test_a_claimed_effect_is_due_again_when_its_claim_has_ended(databases: Databases, acme: Provisioned) -> None:
    owe(databases, acme)
    [effect] = claim(databases)
    assert claim(databases) == []
    assert claim(databases, now=LATER) == [effect]


def test_two_claims_at_once_share_no_effect(databases: Databases, acme: Provisioned) -> None:
    for _ in range(4):
        owe(databases, acme)
    other = Database(lambda: databases.servers.postgres_url("tenancy_platform", databases.name))
    with databases.platform.transaction() as conn, other.transaction() as second:
        taken = claim_effects(conn, now=NOW, again_at=LATER, limit=2)
        left = claim_effects(second, now=NOW, again_at=LATER, limit=4)
    other.close()
    assert (len(taken), len(left)) == (2, 2)
    assert {effect.id for effect in taken}.isdisjoint(effect.id for effect in left)


def test_a_failed_effect_waits_and_says_why(databases: Databases, acme: Provisioned) -> None:
    owe(databases, acme)
    [effect] = claim(databases)
    with databases.platform.transaction() as conn:
        update_effect_failed(conn, effect, error="SES does not take the mail.", due_at=LATER)
    assert claim(databases, now=LATER - timedelta(seconds=1)) == []
    assert claim(databases, now=LATER) == [effect]


def test_an_effect_that_is_done_is_gone(databases: Databases, acme: Provisioned) -> None:
    owe(databases, acme)
    [effect] = claim(databases)
    with databases.platform.transaction() as conn:
        delete_effect(conn, effect)
    assert claim(databases, now=LATER) == []


def test_one_organizations_effects_can_be_claimed_alone(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    owe(databases, acme)
    owe(databases, globex)
    assert len(claim(databases, organization_id=globex.organization.id)) == 1
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
