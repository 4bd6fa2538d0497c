"""Documents of organizations, for the operator."""

from datetime import datetime
from typing import Annotated, Any, Final, NotRequired, TypedDict

from pydantic import WithJsonSchema

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.documents.own_organization import EntitlementsAnswer
from tenancy.gateway.publications import report_publication
from tenancy.gateway.times import format_time
from tenancy.rules.entitlements import BOUNDS, FLAG_NAMES, UNLIMITED_OVERRIDE
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.tiers import Tier
from tenancy.use_cases.admission.enqueue_publication import ChangedOrganization

OVERRIDES: Final = {
    **{
        name: {"anyOf": [{"type": "integer"}, {"type": "string", "const": UNLIMITED_OVERRIDE}]}
        for name, bounds in BOUNDS.items()
        if bounds.may_be_lifted
    },
    **{name: {"type": "integer"} for name, bounds in BOUNDS.items() if not bounds.may_be_lifted},
    **{name: {"type": "boolean"} for name in FLAG_NAMES},
}


class OrganizationAnswer(TypedDict):
    """An organization as the operator sees it. Members without a value are left out."""

    id: Uuid
    name: str
    subdomain: str
    tier: Tier
    status: OrganizationStatus
    entitlements: EntitlementsAnswer
    overrides: Annotated[dict[str, object], WithJsonSchema({"type": "object", "properties": OVERRIDES})]
    created_at: Time
    updated_at: Time
    deleted_at: NotRequired[Time]
    purge_at: NotRequired[Time]
    deletion_reason: NotRequired[str]


def organization_document(organization: Organization) -> dict[str, Any]:
    """Return the organization as the operator sees it. Members without a value are left out."""
    document = {
        "id": str(organization.id),
        "name": organization.name,
        "subdomain": organization.subdomain,
        "tier": organization.tier.value,
        "status": organization.status.value,
        "entitlements": dict(organization.entitlements.values),
        "overrides": dict(organization.overrides),
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
    """Return the changed organization. Count a metric if its standing is not in Redis yet."""
    report_publication(changed.organization.id, is_published=changed.is_published)
    return changed.organization
