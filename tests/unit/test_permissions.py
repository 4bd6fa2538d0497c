"""Roles grant the documented permissions, and a route requires its permission."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tenancy.errors import ForbiddenError
from tenancy.rules.permissions import PERMISSIONS, ROLES, SECRET_KEY_PERMISSIONS, STATS_READ, USAGE_READ
from tenancy.rules.tenant import CallerKind, Operator, Tenant, require_operator, require_tenant

ALL = (  # noqa: SIM905 - as the API lists them
    "events:write events:read stats:read usage:read usage:write users:read users:write apps:read apps:write keys:read "
    "keys:write branding:write domains:read domains:write sso:read sso:write audit:read exports:write erasures:write "
    "organization:read organization:delete"
).split()
ACME = Tenant(
    organization_id=uuid4(),
    subdomain="acme",
    scopes=frozenset({STATS_READ}),
    credential_id=uuid4(),
    kind=CallerKind.KEY,
)
OPERATOR = Operator(credential_id=uuid4())


def test_permissions_are_those_of_the_api() -> None:
    assert sorted(PERMISSIONS) == sorted(ALL)


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("super_admin", set(ALL)),
        ("admin", set(ALL) - {"sso:write", "organization:delete"}),
        ("analyst", {permission for permission in ALL if permission.endswith(":read")}),
        ("viewer", {"stats:read", "usage:read"}),
    ],
)
def test_role_grants_its_permissions(role: str, permissions: set[str]) -> None:
    assert ROLES[role] == permissions


def test_first_secret_key_neither_deletes_nor_makes_credentials() -> None:
    lacking = {"organization:delete", "users:write", "keys:write", "sso:write"}

    assert set(ALL) - lacking == SECRET_KEY_PERMISSIONS


def test_there_are_four_roles() -> None:
    assert set(ROLES) == {"super_admin", "admin", "analyst", "viewer"}


def test_no_role_of_a_tenant_may_act_for_the_platform() -> None:
    assert not any(scope.startswith("platform:") for permissions in ROLES.values() for scope in permissions)


def test_tenant_with_the_permission_passes() -> None:
    assert require_tenant(ACME, STATS_READ) is ACME


def test_tenant_without_the_permission_is_forbidden() -> None:
    with pytest.raises(ForbiddenError, match="usage:read"):
        require_tenant(ACME, USAGE_READ)


def test_platform_key_cannot_act_for_a_tenant() -> None:
    with pytest.raises(ForbiddenError):
        require_tenant(OPERATOR, STATS_READ)


def test_tenant_cannot_act_for_the_platform() -> None:
    assert require_operator(OPERATOR) is OPERATOR
    with pytest.raises(ForbiddenError):
        require_operator(replace(ACME, scopes=PERMISSIONS))
