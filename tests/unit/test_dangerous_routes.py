"""The callers of dangerous routes, written by hand.

docs/permissions.md and its test follow from the decorators of the routes, so a wrong decorator would pass there.
"""

from scripts.openapi.permissions import Access, access_of
from scripts.openapi.routes import list_routes

# A route below one of these is dangerous. A new one is added to the tables below.
GUARDED = (
    "/apps", "/branding", "/compliance", "/domains", "/erasures", "/exports", "/keys",
    "/organizations", "/platform-keys", "/sso", "/users",
)  # fmt: skip
OPERATORS_ONLY = frozenset({
    "GET /compliance/report",
    "GET /organizations",
    "POST /organizations",
    "GET /organizations/{organization_id}",
    "PATCH /organizations/{organization_id}",
    "GET /organizations/{organization_id}/audit",
    "GET /organizations/{organization_id}/audit/verify",
    "GET /organizations/{organization_id}/dead-letters",
    "POST /organizations/{organization_id}/dead-letters/redrive",
    "GET /organizations/{organization_id}/deletion-certificate",
    "GET /organizations/{organization_id}/held-events",
    "POST /organizations/{organization_id}/held-events/release",
    "GET /organizations/{organization_id}/keys",
    "DELETE /organizations/{organization_id}/keys/{key_id}",
    "POST /organizations/{organization_id}/restore",
    "GET /organizations/{organization_id}/stats",
    "GET /organizations/{organization_id}/usage",
    "GET /organizations/{organization_id}/users",
    "DELETE /organizations/{organization_id}/users/{user_id}",
    "POST /organizations/{organization_id}/users/{user_id}/invitation",
    "GET /platform-keys",
    "POST /platform-keys",
    "DELETE /platform-keys/{platform_key_id}",
    "POST /platform-keys/{platform_key_id}/rotate",
})  # fmt: skip
TENANTS_ONLY = {
    "GET /apps": "apps:read",
    "POST /apps": "apps:write",
    "PATCH /apps/{app_id}": "apps:write",
    "DELETE /apps/{app_id}": "apps:write",
    "PUT /branding": "branding:write",
    "GET /branding/settings": "branding:write",
    "GET /domains": "domains:read",
    "POST /domains": "domains:write",
    "GET /domains/{domain}": "domains:read",
    "POST /domains/{domain}/verify": "domains:write",
    "DELETE /domains/{domain}": "domains:write",
    "GET /erasures": "erasures:write",
    "POST /erasures": "erasures:write",
    "GET /erasures/{erasure_id}": "erasures:write",
    "GET /exports": "exports:write",
    "POST /exports": "exports:write",
    "GET /exports/{export_id}": "exports:write",
    "GET /keys": "keys:read",
    "POST /keys": "keys:write",
    "DELETE /keys/{key_id}": "keys:write",
    "POST /keys/{key_id}/rotate": "keys:write",
    "GET /organizations/current": "usage:read",
    "PATCH /organizations/current": "keys:write",
    "GET /sso": "sso:read",
    "PUT /sso": "sso:write",
    "DELETE /sso": "sso:write",
    "GET /sso/email-domains": "sso:read",
    "POST /sso/email-domains": "sso:write",
    "POST /sso/email-domains/{domain}/verify": "sso:write",
    "DELETE /sso/email-domains/{domain}": "sso:write",
    "GET /users": "users:read",
    "POST /users": "users:write",
    "PATCH /users/{user_id}": "users:write",
    "DELETE /users/{user_id}": "users:write",
    "POST /users/{user_id}/invitation": "users:write",
}
BOTH = {
    "DELETE /organizations/{organization_id}": "organization:delete",
    "GET /organizations/{organization_id}/compliance/report": "audit:read",
}
# The token in the body of the first is its credential. A branding is for all who see it.
PUBLIC = frozenset({"POST /users/accept", "GET /branding", "GET /branding/images/{organization_id}/{digest}"})


def needed() -> dict[str, Access]:
    return {
        **dict.fromkeys(OPERATORS_ONLY, Access(are_operators=True)),
        **{route: Access(permission=permission) for route, permission in TENANTS_ONLY.items()},
        **{route: Access(permission=permission, are_operators=True) for route, permission in BOTH.items()},
        **dict.fromkeys(PUBLIC, Access(is_public=True)),
    }


def test_dangerous_routes_need_these_permissions() -> None:
    guarded = [each for each in list_routes() if each.path.startswith(GUARDED)]

    assert {f"{each.method} {each.path}": access_of(each) for each in guarded} == needed()
