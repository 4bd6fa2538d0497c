"""A change of the branding that crashes at any moment."""

from itertools import count

import pytest

from tenancy.rules.branding.branding import BrandingChange, ImageSlot
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.aws.sender_identities import SenderIdentities
from tenancy.use_cases.branding.change_branding import change_branding
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, REGION, Databases, provision, tenant_of
from tests.use_cases.privacy_jobs import store_branding

pytestmark = pytest.mark.exhaustive

CHANGE = BrandingChange(
    texts={"primary_color": "#123456", "sender_address": None}, css_variables={}, image_urls={ImageSlot.LOGO: None}
)
STORED = """
    SELECT b.primary_color, (SELECT count(*) FROM branding_images AS i WHERE i.organization_id = b.organization_id),
           (SELECT count(*) FROM audit_log AS l
            WHERE l.organization_id = b.organization_id AND l.action = 'branding.changed')
    FROM tenant_branding AS b WHERE b.organization_id = %s
"""
BEFORE, AFTER = [("#7c3aed", 1, 0)], [("#123456", 0, 1)]


def test_crashed_change_is_made_once_and_as_a_whole(
    databases: Databases, targets: OutboxTargets, aftermath: Aftermath
) -> None:
    numbers, crashed = count(), 0
    fetcher = Fetcher(AwsClient("lambda", REGION), "not called")

    def begin() -> Provisioned:
        acme = provision(databases, targets, f"acme-{next(numbers)}", Tier.ENTERPRISE)
        store_branding(databases, acme)
        return acme

    def change(acme: Provisioned) -> object:
        identities = SenderIdentities(REGION)
        return change_branding(
            databases.platform, fetcher, lambda: identities, tenant_of(acme), CHANGE, OPERATOR, now=NOW
        )

    for crash in crashes(begin, change):
        organization_id = (crash.state.organization.id,)
        assert aftermath.rows(STORED, organization_id) in (BEFORE, AFTER), crash

        change(crash.state)
        change(crash.state)

        assert aftermath.rows(STORED, organization_id) == AFTER, crash
        crashed += 1
    assert crashed
