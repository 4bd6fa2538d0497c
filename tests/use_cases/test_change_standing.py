"""A changed standing reaches Redis from the request that changed it, or from the sweep, and never an older one."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from tenancy.rules.organization import Status
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.change_standing import Changed
from tenancy.use_cases.deletion.delete import delete_organization, restore_organization
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.effects import Kind, World
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, PATIENCE_SECONDS, PLANS_PATH, REGION, Databases, tenant_of
from tests.use_cases.admitting import Admit, known_of
from tests.use_cases.erasing import GRACE, owed

MINUTE = timedelta(minutes=1)

type Change = Callable[[Databases, World, Provisioned], Changed]


def delete(databases: Databases, world: World, made: Provisioned) -> Changed:
    own = made.organization.id
    return delete_organization(databases.platform, world, own, "the end", OPERATOR, grace=GRACE, now=NOW)


def restore(databases: Databases, world: World, made: Provisioned) -> Changed:
    return restore_organization(databases.platform, world, made.organization.id, OPERATOR, now=NOW)


def patch(**wanted: Status | Tier) -> Change:
    def change(databases: Databases, world: World, made: Provisioned) -> Changed:
        own, keys = made.organization.id, GatewayKeys(REGION, PLANS_PATH)
        wish = OrganizationChange(**wanted)  # type: ignore[arg-type]
        return change_organization(databases.platform, world, keys, own, wish, actor=OPERATOR, now=NOW)

    return change


CHANGES: dict[str, tuple[list[Change], tuple[str, str]]] = {
    "delete": ([delete], ("deleted", "starter")),
    "restore": ([delete, restore], ("active", "starter")),
    "suspend": ([patch(status=Status.SUSPENDED)], ("suspended", "starter")),
    "reactivate": ([patch(status=Status.SUSPENDED), patch(status=Status.ACTIVE)], ("active", "starter")),
    "upgrade": ([patch(tier=Tier.GROWTH)], ("active", "growth")),
}


@pytest.fixture
def cut_off(world: World, nowhere: str) -> Iterator[World]:
    """The world without Redis."""
    with closing(Redis(lambda: f"redis://{nowhere}/0", patience_seconds=PATIENCE_SECONDS)) as redis:
        yield replace(world, redis=redis)


def standings_owed(databases: Databases) -> int:
    return [kind for kind, _ in owed(databases)].count(Kind.STANDING)


@pytest.mark.parametrize("case", CHANGES)
def test_redis_is_told_before_the_answer_and_nothing_is_owed_any_more(
    databases: Databases, world: World, admit: Admit, acme: Provisioned, case: str
) -> None:
    changes, known = CHANGES[case]
    admit(tenant_of(acme))
    assert all(change(databases, world, acme).is_published for change in changes)
    assert known_of(databases, acme.organization.id) == known
    assert standings_owed(databases) == 0


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_that_redis_missed_is_answered_and_the_sweep_tells_it(
    databases: Databases, world: World, counters: Redis, cut_off: World, admit: Admit, acme: Provisioned, case: str
) -> None:
    (*before, missed), known = CHANGES[case]
    admit(tenant_of(acme))
    for change in before:
        change(databases, world, acme)
    stale = known_of(databases, acme.organization.id)
    assert not missed(databases, cut_off, acme).is_published
    assert known_of(databases, acme.organization.id) == stale != known
    swept = sweep(databases.platform, counters, world, now=NOW + MINUTE)
    assert swept is not None
    assert Kind.STANDING in swept.drained.done
    assert known_of(databases, acme.organization.id) == known
    assert standings_owed(databases) == 0


def test_a_sweep_without_redis_goes_on_and_the_next_one_tells_it(
    databases: Databases, world: World, cut_off: World, counters: Redis, admit: Admit, acme: Provisioned
) -> None:
    admit(tenant_of(acme))
    delete(databases, cut_off, acme)
    assert cut_off.redis is not None
    swept = sweep(databases.platform, cut_off.redis, cut_off, now=NOW + MINUTE)
    assert swept is not None
    assert (swept.drained.failed, swept.requests_kept) == ((Kind.STANDING,), None)
    assert "deletion_mail" in swept.drained.done
    sweep(databases.platform, counters, world, now=NOW + 3 * MINUTE)
    assert known_of(databases, acme.organization.id)[0] == "deleted"


def test_an_older_changes_effect_tells_what_holds_now(
    databases: Databases, world: World, counters: Redis, cut_off: World, admit: Admit, acme: Provisioned
) -> None:
    admit(tenant_of(acme))
    delete(databases, cut_off, acme)
    assert restore(databases, world, acme).is_published
    assert standings_owed(databases) == 1
    sweep(databases.platform, counters, world, now=NOW + MINUTE)
    assert known_of(databases, acme.organization.id)[0] == "active"
    assert standings_owed(databases) == 0


def test_the_same_call_again_tells_redis_at_once(
    databases: Databases, world: World, cut_off: World, admit: Admit, acme: Provisioned
) -> None:
    for change, status in ((patch(status=Status.SUSPENDED), "suspended"), (delete, "deleted")):
        admit(tenant_of(acme))
        assert not change(databases, cut_off, acme).is_published
        assert change(databases, world, acme).is_published
        assert known_of(databases, acme.organization.id)[0] == status
