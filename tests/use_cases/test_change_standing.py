"""The request that changes a standing publishes it to Redis. If it fails, the sweep does."""

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
from tests.use_cases.admitting import Admit, cached_standing
from tests.use_cases.erasing import GRACE, pending_entries

MINUTE = timedelta(minutes=1)

type Change = Callable[[Databases, OutboxTargets, Provisioned], ChangedOrganization]


def delete(databases: Databases, targets: OutboxTargets, provisioned: Provisioned) -> ChangedOrganization:
    organization_id = provisioned.organization.id
    return delete_organization(databases.platform, targets, organization_id, "the end", OPERATOR, grace=GRACE, now=NOW)


def restore(databases: Databases, targets: OutboxTargets, provisioned: Provisioned) -> ChangedOrganization:
    return restore_organization(databases.platform, targets, provisioned.organization.id, OPERATOR, now=NOW)


def patch(**wanted: OrganizationStatus | Tier) -> Change:
    def change(databases: Databases, targets: OutboxTargets, provisioned: Provisioned) -> ChangedOrganization:
        organization_id, keys = provisioned.organization.id, GatewayKeys(REGION, PLANS_PATH)
        wish = OrganizationChange(**wanted)  # type: ignore[arg-type]
        return change_organization(databases.platform, targets, keys, organization_id, wish, actor=OPERATOR, now=NOW)

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
def targets_without_redis(targets: OutboxTargets, nowhere: str) -> Iterator[OutboxTargets]:
    """Return outbox targets whose Redis is unreachable."""
    with closing(Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)) as redis:
        yield replace(targets, redis=redis)


def pending_publications(databases: Databases) -> int:
    return [kind for kind, _ in pending_entries(databases)].count(OutboxKind.STANDING)


@pytest.mark.parametrize("case", CHANGES)
def test_change_is_published_before_the_answer(
    databases: Databases, targets: OutboxTargets, admit: Admit, acme: Provisioned, case: str
) -> None:
    changes, known = CHANGES[case]

    admit(tenant_of(acme))

    assert all(change(databases, targets, acme).is_published for change in changes)
    assert cached_standing(databases, acme.organization.id) == known
    assert pending_publications(databases) == 0


@pytest.mark.parametrize("case", CHANGES)
def test_sweep_publishes_a_change_that_redis_missed(
    databases: Databases,
    targets: OutboxTargets,
    counters: Redis,
    targets_without_redis: OutboxTargets,
    admit: Admit,
    acme: Provisioned,
    case: str,
) -> None:
    (*before, missed), known = CHANGES[case]
    admit(tenant_of(acme))
    for change in before:
        change(databases, targets, acme)

    stale = cached_standing(databases, acme.organization.id)

    assert not missed(databases, targets_without_redis, acme).is_published
    assert cached_standing(databases, acme.organization.id) == stale != known

    run = sweep(databases.platform, counters, targets, now=NOW + MINUTE)

    assert run is not None
    assert OutboxKind.STANDING in run.outbox.done
    assert cached_standing(databases, acme.organization.id) == known
    assert pending_publications(databases) == 0


def test_sweep_without_redis_leaves_the_standing_to_the_next(
    databases: Databases,
    targets: OutboxTargets,
    targets_without_redis: OutboxTargets,
    counters: Redis,
    admit: Admit,
    acme: Provisioned,
) -> None:
    admit(tenant_of(acme))

    delete(databases, targets_without_redis, acme)

    assert targets_without_redis.redis is not None

    run = sweep(databases.platform, targets_without_redis.redis, targets_without_redis, now=NOW + MINUTE)

    assert run is not None
    assert (run.outbox.failed, run.requests_persisted) == ((OutboxKind.STANDING,), None)
    assert "deletion_mail" in run.outbox.done

    sweep(databases.platform, counters, targets, now=NOW + 3 * MINUTE)
    assert cached_standing(databases, acme.organization.id)[0] == "deleted"


def test_entry_of_an_older_change_publishes_the_current_state(
    databases: Databases,
    targets: OutboxTargets,
    counters: Redis,
    targets_without_redis: OutboxTargets,
    admit: Admit,
    acme: Provisioned,
) -> None:
    admit(tenant_of(acme))

    delete(databases, targets_without_redis, acme)

    assert restore(databases, targets, acme).is_published
    assert pending_publications(databases) == 1

    sweep(databases.platform, counters, targets, now=NOW + MINUTE)

    assert cached_standing(databases, acme.organization.id)[0] == "active"
    assert pending_publications(databases) == 0


def test_repeated_call_publishes_the_missed_change(
    databases: Databases, targets: OutboxTargets, targets_without_redis: OutboxTargets, admit: Admit, acme: Provisioned
) -> None:
    for change, status in ((patch(status=OrganizationStatus.SUSPENDED), "suspended"), (delete, "deleted")):
        admit(tenant_of(acme))

        assert not change(databases, targets_without_redis, acme).is_published
        assert change(databases, targets, acme).is_published
        assert cached_standing(databases, acme.organization.id)[0] == status
