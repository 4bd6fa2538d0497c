"""The caller of the current request: a tenant (an organization, as this request acts for it) or the operator."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tenancy.errors import ForbiddenError, ForeignPathError
from tenancy.rules.tiers import Tier


class CallerKind(StrEnum):
    """What sort of credential proved who calls."""

    OPERATOR = "operator"
    PERSON = "person"
    KEY = "key"


class RateBucket(StrEnum):
    """What a request draws from: a device that loops on its write key must never lock its owner out."""

    INGEST = "ingest"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An organization as the current request acts for it.

    *kind* says whether a key or a person acts, *credential_id* is that key's or user's id; *scopes* are permissions of
    the key or of the person's role; *expires_at* is when the credential is refused from (UTC), None for never; *epoch*
    is a person's `organization.user` revocation counts, empty for a key. The tier is as the authorizer saw it, up to a
    minute ago, until admission has told it as it is now.
    """

    organization_id: UUID
    subdomain: str
    tier: Tier
    scopes: frozenset[str]
    credential_id: UUID
    kind: CallerKind
    bucket: RateBucket = RateBucket.MANAGEMENT
    epoch: str = ""
    expires_at: datetime | None = None

    def require(self, permission: str) -> None:
        """Let the request pass only with *permission*; whether the organization is active, admission says.

        Raises:
            ForbiddenError: the credential lacks the permission.
        """
        if permission not in self.scopes:
            raise ForbiddenError(f"This credential lacks the permission {permission}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Someone of the platform, with a platform key; acts on the organization that the path names."""

    credential_id: UUID
    expires_at: datetime | None = None

    @property
    def kind(self) -> CallerKind:
        """What sort of credential this is."""
        return CallerKind.OPERATOR


type Caller = Tenant | Operator


def require_tenant(caller: Caller, permission: str) -> Tenant:
    """Return the tenant that calls, when it has *permission*.

    Raises:
        ForbiddenError: a platform key on a tenant's route, or the permission is lacking.
    """
    if isinstance(caller, Operator):
        raise ForbiddenError("A platform key needs an organization in the path.")
    caller.require(permission)
    return caller


def require_operator_or_own(caller: Caller, organization_id: UUID, permission: str) -> Caller:
    """Return *caller* when it is the operator, or a tenant that has *permission* over the organization of the path.

    Raises:
        ForeignPathError: the path names another organization than the tenant's.
        ForbiddenError: the tenant lacks the permission.
    """
    if isinstance(caller, Tenant):
        if organization_id != caller.organization_id:
            raise ForeignPathError
        caller.require(permission)
    return caller


def require_operator(caller: Caller, organization_id: UUID | None = None) -> Operator:
    """Return the operator that calls, about the organization that the path names, if it names one.

    Raises:
        ForbiddenError: the caller is a tenant.
        ForeignPathError: it is one, and asks about another organization, which it must not learn of.
    """
    if isinstance(caller, Tenant):
        if organization_id not in {None, caller.organization_id}:
            raise ForeignPathError
        raise ForbiddenError("This call is for the platform's operator.")
    return caller
