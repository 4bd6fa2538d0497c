"""The document of provisioning.

It has a module of its own because it imports the password check.
"""

from typing import Annotated, Any, TypedDict

from pydantic import WithJsonSchema

from tenancy.gateway.answer_types import Uuid
from tenancy.gateway.documents.organizations import OrganizationAnswer, organization_document
from tenancy.rules.keys.api_keys import KeyType
from tenancy.use_cases.organizations.provision import FIRST_APP_NAME, FIRST_APP_PLATFORM, Provisioned


class AdministratorAnswer(TypedDict):
    """The first member of an organization."""

    id: Uuid
    email: str
    role: str
    status: str


class AppAnswer(TypedDict):
    """An app of an organization."""

    id: Uuid
    name: str
    platform: str


class ProvisionedAnswer(TypedDict):
    """A new organization. No other answer ever shows its keys."""

    organization: OrganizationAnswer
    admin_user: AdministratorAnswer
    app: AppAnswer
    write_key: Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{KeyType.WRITE}_"})]
    secret_key: Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{KeyType.SECRET}_"})]


def provisioned_document(provisioned: Provisioned) -> dict[str, Any]:
    """Return the answer to provisioning. It is the only answer that ever shows the keys."""
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
