"""The document of provisioning.

It has a module of its own because it imports the password check.
"""

from typing import Any

from tenancy.gateway.documents.organizations import organization_document
from tenancy.use_cases.organizations.provision import FIRST_APP_NAME, FIRST_APP_PLATFORM, Provisioned


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
