"""The permissions of credentials, and the roles that bundle them.

The scopes of a key are permissions.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

EVENTS_WRITE: Final = "events:write"
EVENTS_READ: Final = "events:read"
STATS_READ: Final = "stats:read"
USAGE_READ: Final = "usage:read"
USAGE_WRITE: Final = "usage:write"
AUDIT_READ: Final = "audit:read"
ORGANIZATION_DELETE: Final = "organization:delete"
EXPORTS_WRITE: Final = "exports:write"
ERASURES_WRITE: Final = "erasures:write"
APPS_READ: Final = "apps:read"
APPS_WRITE: Final = "apps:write"
KEYS_READ: Final = "keys:read"
KEYS_WRITE: Final = "keys:write"
USERS_READ: Final = "users:read"
USERS_WRITE: Final = "users:write"
BRANDING_WRITE: Final = "branding:write"
DOMAINS_READ: Final = "domains:read"
DOMAINS_WRITE: Final = "domains:write"
SSO_READ: Final = "sso:read"
SSO_WRITE: Final = "sso:write"

PERMISSIONS: Final = frozenset({
    EVENTS_WRITE, EVENTS_READ, STATS_READ, USAGE_READ, USAGE_WRITE, USERS_READ, USERS_WRITE, APPS_READ,
    APPS_WRITE, KEYS_READ, KEYS_WRITE, BRANDING_WRITE, DOMAINS_READ, DOMAINS_WRITE, SSO_READ, SSO_WRITE, AUDIT_READ,
    EXPORTS_WRITE, ERASURES_WRITE, "organization:read", ORGANIZATION_DELETE,
})  # fmt: skip
# Of a secret key whose request names no scopes. It can neither delete the organization nor hand out credentials.
SECRET_KEY_PERMISSIONS: Final = PERMISSIONS - {ORGANIZATION_DELETE, USERS_WRITE, KEYS_WRITE, SSO_WRITE}

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "super_admin": PERMISSIONS,
        "admin": PERMISSIONS - {SSO_WRITE, ORGANIZATION_DELETE},
        "analyst": frozenset(permission for permission in PERMISSIONS if permission.endswith(":read")),
        "viewer": frozenset({STATS_READ, USAGE_READ}),
    }
)
