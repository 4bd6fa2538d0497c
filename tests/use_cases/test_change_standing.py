"""A changed standing reaches Redis from the request that changed it, or from the sweep, and never an older one."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.enqueue_publication import ChangedOrganization
from tenancy.use_cases.deletion.delete import delete_organization, restore_organization
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, PATIENCE_SECONDS, PLANS_PATH, REGION, Databases, tenant_of
from tests.use_cases.admitting import Admit, known_of
from tests.use_cases.erasing import GRACE, owed

MINUTE = timedelta(minutes=1)

type Change = Callable[[Databases, OutboxTargets, Provisioned], ChangedOrganization]


def delete(databases: Databases, targets: OutboxTargets, made: Provisioned) -> ChangedOrganization:
    own = made.organization.id
    return delete_organization(databases.platform, targets, own, "the end", OPERATOR, grace=GRACE, now=NOW)


def restore(databases: Databases, targets: OutboxTargets, made: Provisioned) -> ChangedOrganization:
    return restore_organization(databases.platform, targets, made.organization.id, OPERATOR, now=NOW)


def patch(**wanted: OrganizationStatus | Tier) -> Change:
    def change(databases: Databases, targets: OutboxTargets, made: Provisioned) -> ChangedOrganization:
        own, keys = made.organization.id, GatewayKeys(REGION, PLANS_PATH)
        wish = OrganizationChange(**wanted)  # type: ignore[arg-type]
        return change_organization(databases.platform, targets, keys, own, wish, actor=OPERATOR, now=NOW)

    return change


CHANGES: dict[str, tuple[list[Change], tuple[str, str]]] = {
    "delete": ([delete], ("deleted", "starter")),
    "restore": ([delete, restore], ("active", "starter")),
    "suspend": ([patch(status=OrganizationStatus.SUSPENDED)], ("suspended", "starter")),
    "reactivate": (
        [patch(status=OrganizationStatus.SUSPENDED), patch(status=OrganizationStatus.ACTIVE)],
        ("active", "starter"),
    ),
    "upgrade": ([patch(tier=Tier.GROWTH)], ("active", "growth")),
}


@pytest.fixture
def cut_off(targets: OutboxTargets, nowhere: str) -> Iterator[OutboxTargets]:
    """The world without Redis."""
    with closing(Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)) as redis:
        yield replace(targets, redis=redis)


def standings_owed(databases: Databases) -> int:
    return [kind for kind, _ in owed(databases)].count(OutboxKind.STANDING)


@pytest.mark.parametrize("case", CHANGES)
def test_redis_is_told_before_the_answer_and_nothing_is_owed_any_more(
    databases: Databases, targets: OutboxTargets, admit: Admit, acme: Provisioned, case: str
) -> None:
    changes, known = CHANGES[case]
    admit(tenant_of(acme))
    assert all(change(databases, targets, acme).is_published for change in changes)
    assert known_of(databases, acme.organization.id) == known
    assert standings_owed(databases) == 0


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_that_redis_missed_is_answered_and_the_sweep_tells_it(
    databases: Databases,
    targets: OutboxTargets,
    counters: Redis,
    cut_off: OutboxTargets,
    admit: Admit,
    acme: Provisioned,
    case: str,
) -> None:
    (*before, missed), known = CHANGES[case]
    admit(tenant_of(acme))
    for change in before:
        change(databases, targets, acme)
    stale = known_of(databases, acme.organization.id)
    assert not missed(databases, cut_off, acme).is_published
    assert known_of(databases, acme.organization.id) == stale != known
    run = sweep(databases.platform, counters, targets, now=NOW + MINUTE)
    assert run is not None
    assert OutboxKind.STANDING in run.outbox.done
    assert known_of(databases, acme.organization.id) == known
    assert standings_owed(databases) == 0


def test_a_sweep_without_redis_goes_on_and_the_next_one_tells_it(
    databases: Databases,
    targets: OutboxTargets,
    cut_off: OutboxTargets,
    counters: Redis,
    admit: Admit,
    acme: Provisioned,
) -> None:
    admit(tenant_of(acme))
    delete(databases, cut_off, acme)
    assert cut_off.redis is not None
    run = sweep(databases.platform, cut_off.redis, cut_off, now=NOW + MINUTE)
    assert run is not None
    assert (run.outbox.failed, run.requests_persisted) == ((OutboxKind.STANDING,), None)
    assert "deletion_mail" in run.outbox.done
    sweep(databases.platform, counters, targets, now=NOW + 3 * MINUTE)
    assert known_of(databases, acme.organization.id)[0] == "deleted"


def test_an_older_changes_effect_tells_what_holds_now(
    databases: Databases,
    targets: OutboxTargets,
    counters: Redis,
    cut_off: OutboxTargets,
    admit: Admit,
    acme: Provisioned,
) -> None:
    admit(tenant_of(acme))
    delete(databases, cut_off, acme)
    assert restore(databases, targets, acme).is_published
    assert standings_owed(databases) == 1
    sweep(databases.platform, counters, targets, now=NOW + MINUTE)
    assert known_of(databases, acme.organization.id)[0] == "active"
    assert standings_owed(databases) == 0


def test_the_same_call_again_tells_redis_at_once(
    databases: Databases, targets: OutboxTargets, cut_off: OutboxTargets, admit: Admit, acme: Provisioned
) -> None:
    for change, status in ((patch(status=OrganizationStatus.SUSPENDED), "suspended"), (delete, "deleted")):
        admit(tenant_of(acme))
        assert not change(databases, cut_off, acme).is_published
        assert change(databases, targets, acme).is_published
        assert known_of(databases, acme.organization.id)[0] == status
