"""Write docs/permissions.md: the credentials that each route accepts.

The rights are those that the functions themselves check.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from scripts.openapi.direct_routes import find_direct_route
from scripts.openapi.routes import ROOT, DeployedRoute, find_resolver_route, list_routes
from tenancy.gateway.http import STAGE_PREFIX
from tenancy.gateway.rights import callers_of
from tenancy.rules.permissions import EVENTS_WRITE, ROLES, SECRET_KEY_PERMISSIONS

FILE: Final = ROOT / "docs/permissions.md"
YES: Final = "yes"
OPERATOR: Final = "operator"
FIRST_SECRET_KEY: Final = "first secret key"  # noqa: S105 - a column
WRITE_KEY: Final = "write key"
HOLDERS: Final = {**ROLES, FIRST_SECRET_KEY: SECRET_KEY_PERMISSIONS, WRITE_KEY: frozenset({EVENTS_WRITE})}
COLUMNS: Final = (OPERATOR, *HOLDERS)
ANY_MEMBER: Final = "any member"
NO_CREDENTIAL: Final = "none"
HEAD: Final = """\
# Permissions

This page has the credentials that each route accepts. `make openapi` writes it from the code:
`layers/tenancy/tenancy/rules/permissions.py` and the routes of the functions. `tests/handlers/test_permissions.py`
calls each route with each kind of credential, and compares the answers with this page.

The scopes of a key are permissions. A secret key may call the routes whose permission is among its scopes. A route
refuses a credential without a `yes` in its row: 401 on the paths of Segment's SDKs, otherwise 403 or 404.

## Permissions of roles and keys
"""
ROUTES_HEAD: Final = """
## Routes
A route with the permission `none` needs no header `Authorization`. A route with `any member` needs an access token,
with any role.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The credentials that a route accepts.

    *permission* is the one that a credential of an organization needs. If it is None, no credential of an organization
    is accepted, except access tokens if *are_members*. Only write keys are accepted if *are_only_write_keys*.
    """

    permission: str | None = None
    are_operators: bool = False
    are_members: bool = False
    are_only_write_keys: bool = False
    is_public: bool = False

    @property
    def need(self) -> str:
        """The text of the column for the permission."""
        if self.is_public:
            return NO_CREDENTIAL
        return ANY_MEMBER if self.are_members else f"`{self.permission}`" if self.permission else ""

    def admits(self, holder: str) -> bool:
        """Tell whether the route accepts the credential of the column *holder*."""
        if self.is_public:
            return True
        if holder == OPERATOR:
            return self.are_operators
        if self.are_members:
            return holder in ROLES
        if self.are_only_write_keys:
            return holder == WRITE_KEY
        return self.permission in HOLDERS[holder]


def access_of(route: DeployedRoute) -> Access:
    """Return the credentials that *route* accepts.

    Raises:
        LookupError: the route does not say which right it needs.
    """
    resolved = find_resolver_route(route)
    if resolved is not None:
        callers = callers_of(resolved.func)
        return Access(
            permission=callers.permission,
            are_operators=callers.are_operators,
            are_members=callers.are_members,
            is_public=callers.is_public,
        )
    security = find_direct_route(route).security
    if not security:
        return Access(is_public=True)
    are_only_write_keys = not any("secretKey" in each for each in security)
    return Access(permission=EVENTS_WRITE, are_only_write_keys=are_only_write_keys)


def format_permissions() -> str:
    """Return docs/permissions.md."""
    routes = [(f"{route.method} {STAGE_PREFIX}{route.path}", access_of(route)) for route in list_routes()]
    used = sorted({access.permission for _, access in routes if access.permission})
    roles = ([f"`{each}`", *(_yes(each in held) for held in HOLDERS.values())] for each in used)
    rows = ([name, access.need, *(_yes(access.admits(each)) for each in COLUMNS)] for name, access in routes)
    tables = (_table(["permission", *HOLDERS], roles), _table(["route", "permission", *COLUMNS], rows))
    return HEAD + tables[0] + ROUTES_HEAD + tables[1]


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    return "".join(f"{line}\n" for line in _lines(heads, rows))


def _lines(heads: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _yes(value: bool) -> str:  # noqa: FBT001 - a value of the table
    return YES if value else ""
