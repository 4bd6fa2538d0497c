"""The caller of the current request: a tenant or an operator."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Final
from uuid import UUID

from tenancy.errors import ForbiddenError, ForeignPathError
from tenancy.rules.entitlements import Entitlements


class CallerKind(StrEnum):
    """The kind of caller, known from the credential."""

    OPERATOR = "operator"
    PERSON = "person"
    KEY = "key"


class RateBucket(StrEnum):
    """The rate bucket of a request, with a rate limit and a monthly quota of requests of its own.

    Write keys use INGEST, so that a device in a loop does not block the organization's other requests.
    """

    INGEST = "ingest"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An organization for which the current request acts.

    *kind* is KEY or PERSON, and *credential_id* is the id of that key or user. *scopes* are the permissions of the key
    or of the person's role. The credential is refused from *expires_at* on (UTC). None is never. *epoch* has a person's
    revocation counts as `organization.user`, and is empty for a key. *app_id* is the app of a write key, None for any
    other credential. *session_id* is the session of a token that the platform signed, None for any other credential.

    The authorizer's answer is cached for a minute, so a tenant has no limits: its admission has (`AdmittedTenant`).
    """

    organization_id: UUID
    subdomain: str
    scopes: frozenset[str]
    credential_id: UUID
    kind: CallerKind
    bucket: RateBucket = RateBucket.MANAGEMENT
    epoch: str = ""
    expires_at: datetime | None = None
    app_id: UUID | None = None
    session_id: UUID | None = None

    def require(self, permission: str) -> None:
        """Refuse the request without *permission*.

        Admission checks that the organization is active.

        Raises:
            ForbiddenError: the credential lacks the permission.
        """
        if permission not in self.scopes:
            raise ForbiddenError(f"The credential lacks the permission {permission}.")


TENANT_MEMBERS: Final = tuple(each.name for each in fields(Tenant))
_members_of: Final = attrgetter(*TENANT_MEMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedTenant(Tenant):
    """A tenant whose request was admitted, with its current *entitlements*."""

    entitlements: Entitlements

    @classmethod
    def of(cls, tenant: Tenant, entitlements: Entitlements) -> "AdmittedTenant":
        """Return *tenant* with its current *entitlements*."""
        return cls(**dict(zip(TENANT_MEMBERS, _members_of(tenant), strict=True)), entitlements=entitlements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person of the platform with a platform key.

    Acts on the organization in the path. The key is refused from *expires_at* on (UTC). None is never.
    """

    credential_id: UUID
    expires_at: datetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Return whether the key has expired at *now*."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def kind(self) -> CallerKind:
        """The kind of caller."""
        return CallerKind.OPERATOR


type Caller = Tenant | Operator
type AdmittedCaller = AdmittedTenant | Operator


def require_tenant[T: Tenant](caller: T | Operator, permission: str) -> T:
    """Return *caller* if it is a tenant with *permission*.

    Raises:
        ForbiddenError: the caller has a platform key or lacks the permission.
    """
    if isinstance(caller, Operator):
        raise ForbiddenError("This route needs a key or a token of an organization, not a platform key.")
    caller.require(permission)
    return caller


def require_member[T: Tenant](caller: T | Operator) -> T:
    """Return *caller* if it is a member of an organization.

    Raises:
        ForbiddenError: the caller has a key.
    """
    if isinstance(caller, Operator) or caller.kind is not CallerKind.PERSON:
        raise ForbiddenError("This route needs an access token of a member, not a key.")
    return caller


def require_operator_or_own(caller: Caller, organization_id: UUID | None, permission: str) -> Caller:
    """Return *caller* if it is an operator, or the tenant *organization_id* with *permission*.

    Raises:
        ForeignPathError: *organization_id* is not that of the tenant.
        ForbiddenError: the tenant lacks the permission.
    """
    if isinstance(caller, Tenant):
        if organization_id != caller.organization_id:
            raise ForeignPathError
        caller.require(permission)
    return caller


def require_operator(caller: Caller, organization_id: UUID | None = None) -> Operator:
    """Return *caller* if it is an operator.

    *organization_id* is that of the path, None without one.

    Raises:
        ForbiddenError: the caller is a tenant.
        ForeignPathError: the caller is a tenant on the path of another organization, and must not learn that it exists.
    """
    if isinstance(caller, Tenant):
        if organization_id not in {None, caller.organization_id}:
            raise ForeignPathError
        raise ForbiddenError("This route needs a platform key.")
    return caller
