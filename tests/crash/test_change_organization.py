"""A change of an organization that crashes at any moment.

The organization has a valid gateway key throughout, and the next attempt completes the change.
"""

from datetime import timedelta
from itertools import count

import pytest

from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.durations import OUTBOX_CLAIM_TIME
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.organization_change import OrganizationChange, OverrideChanges
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import Crash, crashes
from tests.given import NOW, OPERATOR, PLANS_PATH, REGION, Databases, new_organization, tenant_of
from tests.use_cases.admitting import cached_standing

pytestmark = pytest.mark.exhaustive

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
RATE = 30_000  # above that of each tier
CHANGE = OrganizationChange(
    name="Acme 2",
    tier=Tier.GROWTH,
    status=OrganizationStatus.SUSPENDED,
    overrides=OverrideChanges(api_requests_per_minute=RATE, data_retention_days=30),
)
CHANGED = ("Acme 2", "growth", "suspended", {"api_requests_per_minute": RATE, "data_retention_days": 30})
ACTIONS = [
    "organization.entitlements_changed",
    "organization.renamed",
    "organization.suspended",
    "organization.tier_changed",
]
FIND_STATE = "SELECT name, tier, status, overrides FROM organizations WHERE id = %s"
LIST_ACTIONS = """
    SELECT action FROM audit_log WHERE organization_id = %s AND action <> 'organization.provisioned' ORDER BY action
"""


def test_crashed_change_is_done_once_and_keeps_a_gateway_key(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    gate = AdmissionGate(counters, lambda: databases.functions)

    def begin() -> Provisioned:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        acme = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        admission = gate.admit(tenant_of(acme), now=NOW)  # Redis knows the old standing
        assert admission.verdict is AdmissionVerdict.ADMITTED
        return acme

    def change(acme: Provisioned, after: timedelta = SECOND) -> None:
        organization_id, now = acme.organization.id, NOW + after
        change_organization(databases.platform, targets, gateway_keys, organization_id, CHANGE, actor=OPERATOR, now=now)

    for crash in crashes(begin, change):
        acme = crash.state
        require_unchanged_or_changed(databases, targets, counters, aftermath, crash)

        change(acme, 2 * SECOND)

        require_changed_once(aftermath, crash)
        admission = gate.admit(tenant_of(acme), now=NOW + 3 * SECOND)
        assert (admission.verdict, admission.tier) == (AdmissionVerdict.INACTIVE, Tier.GROWTH), crash
        assert admission.rate is not None
        assert admission.rate.limit == RATE, crash
        run_due_entries(databases.platform, targets, now=NOW + 2 * OUTBOX_CLAIM_TIME)
        require_only_the_new_key(aftermath, crash)
        crashed += 1
    assert crashed > 5


def require_unchanged_or_changed(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath, crash: Crash[Provisioned]
) -> None:
    """Require that the change is whole or absent, and that the next sweep publishes that state."""
    organization = crash.state.organization
    assert aftermath.is_metered(organization.id), crash
    [state] = aftermath.rows(FIND_STATE, (organization.id,))
    assert state in [(organization.name, "starter", "active", {}), CHANGED], crash

    sweep(databases.platform, counters, targets, now=NOW + MINUTE)

    _, tier, status, _ = state
    assert cached_standing(databases, organization.id) == (status, tier), crash


def require_changed_once(aftermath: Aftermath, crash: Crash[Provisioned]) -> None:
    organization_id = crash.state.organization.id
    assert aftermath.is_metered(organization_id), crash
    assert aftermath.rows(FIND_STATE, (organization_id,)) == [CHANGED]
    assert [action for (action,) in aftermath.rows(LIST_ACTIONS, (organization_id,))] == ACTIONS, crash


def require_only_the_new_key(aftermath: Aftermath, crash: Crash[Provisioned]) -> None:
    organization_id = crash.state.organization.id
    assert aftermath.pending_kinds(organization_id) == [], crash
    assert [plan for plan, _ in aftermath.gateway_keys(organization_id)] == ["custom"], crash
    assert aftermath.is_metered(organization_id), crash
