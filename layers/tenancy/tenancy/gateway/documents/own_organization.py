"""The document of an organization for its own members and keys.

It has a module of its own, because the documents for the operator come with statements that cross organizations.
"""

from typing import Any

from tenancy.gateway.times import format_time
from tenancy.rules.organization import OwnOrganization


def own_organization_document(own: OwnOrganization) -> dict[str, Any]:
    """Return the answer of GET /v1/organizations/current.

    None is unlimited.
    """
    return {
        "id": str(own.id),
        "name": own.name,
        "subdomain": own.subdomain,
        "tier": own.entitlements.tier.value,
        "status": own.status.value,
        "entitlements": dict(own.entitlements.values),
        "created_at": format_time(own.created_at),
    }
