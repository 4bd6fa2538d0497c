"""The document of an organization for its own members and keys.

It has a module of its own, because the documents for the operator come with statements that cross organizations.
"""

from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import WithJsonSchema

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_time
from tenancy.rules.entitlements import BOUNDS, ENTITLEMENT_NAMES, FLAG_NAMES
from tenancy.rules.organization import OrganizationStatus, OwnOrganization
from tenancy.rules.tiers import Tier

EntitlementsAnswer = Annotated[
    dict[str, object],
    WithJsonSchema(
        {
            "type": "object",
            "description": "The numbers of the tier with the overrides applied. null is unlimited.",
            "required": list(ENTITLEMENT_NAMES),
            "properties": {
                **{
                    name: {"type": ["integer", "null"] if bounds.may_be_lifted else "integer"}
                    for name, bounds in BOUNDS.items()
                },
                **{name: {"type": "boolean"} for name in FLAG_NAMES},
            },
        }
    ),
]


class OwnOrganizationAnswer(TypedDict):
    """The caller's own organization."""

    id: Uuid
    name: str
    subdomain: str
    tier: Tier
    status: OrganizationStatus
    entitlements: EntitlementsAnswer
    key_rotation_days: int | None
    created_at: Time
    upgrade_url: NotRequired[str]


def own_organization_document(own: OwnOrganization, *, upgrade_url: str | None) -> dict[str, Any]:
    """Return the answer of GET /v1/organizations/current.

    None is unlimited. The answer shows *upgrade_url* if the platform has one.
    """
    document = {
        "id": str(own.id),
        "name": own.name,
        "subdomain": own.subdomain,
        "tier": own.entitlements.tier.value,
        "status": own.status.value,
        "entitlements": dict(own.entitlements.values),
        "key_rotation_days": own.key_rotation_days,
        "created_at": format_time(own.created_at),
    }
    return document if upgrade_url is None else {**document, "upgrade_url": upgrade_url}
