"""What the operator is shown of organizations, and of their changes."""

from datetime import datetime
from typing import Any

from tenancy.gateway.metrics import STANDING_NOT_PUBLISHED, count
from tenancy.gateway.times import format_time
from tenancy.rules.organization import Organization
from tenancy.use_cases.admission.enqueue_publication import ChangedOrganization
from tenancy.use_cases.organizations.list_organizations import OrganizationPage


def organization_document(organization: Organization) -> dict[str, Any]:
    """Return what the operator sees; what does not apply to its state is left out."""
    document = {
        "id": str(organization.id),
        "name": organization.name,
        "subdomain": organization.subdomain,
        "tier": organization.tier.value,
        "status": organization.status.value,
        "created_at": organization.created_at,
        "updated_at": organization.updated_at,
        "deleted_at": organization.deleted_at,
        "purge_at": organization.purge_at,
        "deletion_reason": organization.deletion_reason,
    }
    return {
        name: format_time(value) if isinstance(value, datetime) else value
        for name, value in document.items()
        if value is not None
    }


def report_unpublished(changed: ChangedOrganization) -> Organization:
    """Return the organization as it is after the change, and count one that Redis could not be told of."""
    if not changed.is_published:
        count(STANDING_NOT_PUBLISHED, {"organization_id": str(changed.organization.id)})
    return changed.organization


def organization_page_document(page: OrganizationPage) -> dict[str, Any]:
    """Return one page of the list."""
    return {
        "data": [organization_document(organization) for organization in page.organizations],
        "pagination": {"next_cursor": page.next_cursor, "has_more": page.next_cursor is not None},
    }
