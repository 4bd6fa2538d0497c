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

PERMISSIONS: Final = frozenset({
    EVENTS_WRITE, EVENTS_READ, STATS_READ, USAGE_READ, USAGE_WRITE, "users:read", "users:write", "apps:read",
    "apps:write", "keys:read", "keys:write", "branding:write", "domains:write", "sso:write", AUDIT_READ,
    EXPORTS_WRITE, ERASURES_WRITE, "organization:read", ORGANIZATION_DELETE,
})  # fmt: skip

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "super_admin": PERMISSIONS,
        "admin": PERMISSIONS - {"sso:write", ORGANIZATION_DELETE},
        "analyst": frozenset(permission for permission in PERMISSIONS if permission.endswith(":read")),
        "viewer": frozenset({STATS_READ, USAGE_READ}),
    }
)
