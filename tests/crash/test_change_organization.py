"""A change that dies at any moment: API Gateway knows the organization throughout, and the next try ends it."""

from datetime import timedelta
from itertools import count

from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.durations import OUTBOX_CLAIM_TIME
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.schedule.sweep import sweep
from tests.crash.aftermath import Aftermath
from tests.crash.deaths import deaths
from tests.given import NOW, OPERATOR, PLANS_PATH, REGION, Databases, new_organization, tenant_of
from tests.use_cases.admitting import known_of

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
CHANGE = OrganizationChange(name="Acme 2", tier=Tier.GROWTH, status=OrganizationStatus.SUSPENDED)
ACTIONS = ["organization.renamed", "organization.suspended", "organization.tier_changed"]
FIND_STATE = "SELECT name, tier, status FROM organizations WHERE id = %s"
FIND_ACTIONS = """
    SELECT action FROM audit_log WHERE organization_id = %s AND action <> 'organization.provisioned' ORDER BY action
"""


def test_a_change_is_done_once_and_with_a_gateway_key_at_every_moment(
    databases: Databases, targets: OutboxTargets, counters: Redis, aftermath: Aftermath
) -> None:
    numbers, died = count(), 0
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    admissions = AdmissionGate(counters, lambda: databases.functions)

    def begin() -> Provisioned:
        new = new_organization(f"acme-{next(numbers)}", Tier.STARTER)
        made = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        assert (
            admissions.admit(tenant_of(made), now=NOW).verdict is AdmissionVerdict.ADMITTED
        )  # Redis knows it as it is
        return made

    def change(made: Provisioned, after: timedelta = SECOND) -> None:
        change_organization(
            databases.platform,
            targets,
            gateway_keys,
            made.organization.id,
            CHANGE,
            actor=OPERATOR,
            now=NOW + after,
        )

    for death in deaths(begin, change):
        made = death.state
        organization_id = made.organization.id
        assert aftermath.is_metered(organization_id), death
        left = aftermath.rows(FIND_STATE, (organization_id,))
        assert left in ([(made.organization.name, "starter", "active")], [("Acme 2", "growth", "suspended")]), death
        sweep(databases.platform, counters, targets, now=NOW + MINUTE)
        assert [known_of(databases, organization_id)] == [(status, tier) for _, tier, status in left], death
        change(made, 2 * SECOND)
        assert aftermath.is_metered(organization_id), death
        assert aftermath.rows(FIND_STATE, (organization_id,)) == [("Acme 2", "growth", "suspended")]
        assert [action for (action,) in aftermath.rows(FIND_ACTIONS, (organization_id,))] == ACTIONS, death
        admission = admissions.admit(tenant_of(made), now=NOW + 3 * SECOND)
        assert (admission.verdict, admission.tier) == (AdmissionVerdict.INACTIVE, Tier.GROWTH), death
        run_due_entries(databases.platform, targets, now=NOW + 2 * OUTBOX_CLAIM_TIME)
        assert aftermath.owed(organization_id) == [], death
        assert [tier for tier, _ in aftermath.gateway_keys(organization_id)] == ["growth"], death
        assert aftermath.is_metered(organization_id), death
        died += 1
    assert died > 20
