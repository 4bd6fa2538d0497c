"""The documents that organizations are shown as."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from tenancy.gateway.times import format_time
from tenancy.organization import Organization
from tenancy.tiers import Tier
from tenancy.use_cases.list_organizations import Page
from tenancy.use_cases.provision import FIRST_APP_NAME, FIRST_APP_PLATFORM, Provisioned


class OrganizationChange(BaseModel):
    """The body of PATCH /v1/organizations/{id}; name and status cannot be changed yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: Tier


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


def provisioned_document(provisioned: Provisioned) -> dict[str, Any]:
    """Return what provisioning answers: the only time that the keys are shown."""
    return {
        "organization": organization_document(provisioned.organization),
        "admin_user": {
            "id": str(provisioned.admin_user_id),
            "email": provisioned.admin_email,
            "role": "super_admin",
            "status": "active",
        },
        "app": {"id": str(provisioned.app_id), "name": FIRST_APP_NAME, "platform": FIRST_APP_PLATFORM},
        "write_key": provisioned.write_key.text,
        "secret_key": provisioned.secret_key.text,
    }


def page_document(page: Page) -> dict[str, Any]:
    """Return one page of the list."""
    return {
        "data": [organization_document(organization) for organization in page.organizations],
        "pagination": {"next_cursor": page.next_cursor, "has_more": page.next_cursor is not None},
    }
