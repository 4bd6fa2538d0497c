"""Authenticate a credential: find its caller, and the API Gateway key that meters it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.credentials import Jwt, parse_authorization
from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.keys.api_keys import ApiKey, KeyType
from tenancy.rules.permissions import ROLES
from tenancy.rules.tenant import Caller, CallerKind, RateBucket, Tenant
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.lookups import CredentialHolder, find_key_holder, find_member, find_platform_key

if TYPE_CHECKING:
    from tenancy.rules.access_tokens.verify import TokenClaims

    type VerifyToken = Callable[[str, datetime], TokenClaims]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A caller, the value of its key in a usage plan, and the tier of its organization.

    *gateway_key* and *tier* are None for the operator. The stack's own key meters the operator.
    """

    caller: Caller
    gateway_key: str | None
    tier: Tier | None = None


def authenticate(
    db: Homes, verify_token: "VerifyToken", authorization: tuple[str, ...], *, now: datetime
) -> Authenticated:
    """Return the caller that the values of the `Authorization` header prove.

    A malformed credential is refused without a use of *verify_token* and *db*. A token that *verify_token* refuses at
    the given time is refused without a query of *db*.

    Raises:
        UnauthenticatedError: the credential is missing, bad, expired or revoked. The error does not tell which.
        UnavailableError: the database is unreachable.
    """
    credential = parse_authorization(authorization)
    if isinstance(credential, Jwt):
        return _authenticate_person(db, verify_token(credential.text, now))
    if credential.type is KeyType.PLATFORM:
        return _authenticate_operator(db, credential, now=now)
    return authenticate_key(db, credential, now=now)


def authenticate_key(db: Homes, key: ApiKey, *, now: datetime) -> Authenticated:
    """Return the tenant that a secret or write key belongs to.

    Raises:
        UnauthenticatedError: the key is unknown, expired or revoked.
        UnavailableError: the database is unreachable.
    """
    found = db.look_up_in_homes(
        lambda conn: find_key_holder(conn, key.digest), values=[Entry(EntryKind.KEY, key.digest.hex())]
    )
    holder = next(iter(filter(None, found)), None)
    if holder is None or (holder.expires_at is not None and holder.expires_at <= now):
        raise UnauthenticatedError
    bucket = RateBucket.INGEST if key.type is KeyType.WRITE else RateBucket.MANAGEMENT
    return _authenticated(holder, CallerKind.KEY, holder.scopes, holder.expires_at, bucket=bucket, app_id=holder.app_id)


def _authenticate_operator(db: Homes, key: ApiKey, *, now: datetime) -> Authenticated:
    operator = db.catalogue.look_up(lambda conn: find_platform_key(conn, key.digest))
    if operator is None or operator.has_expired(now):
        raise UnauthenticatedError
    return Authenticated(caller=operator, gateway_key=None)


def _authenticate_person(db: Homes, claims: "TokenClaims") -> Authenticated:
    [member] = db.look_up_in_homes(
        lambda conn: find_member(conn, claims.organization_id, claims.user_id), ids=[claims.organization_id]
    )
    if member is None or member.epoch != claims.epoch:
        raise UnauthenticatedError
    scopes = ROLES[member.role].intersection(claims.permissions)
    return _authenticated(
        member, CallerKind.PERSON, scopes, claims.expires_at, epoch=member.epoch, session_id=claims.sid
    )


def _authenticated(
    holder: CredentialHolder,
    kind: CallerKind,
    scopes: frozenset[str],
    expires_at: datetime | None,
    *,
    bucket: RateBucket = RateBucket.MANAGEMENT,
    epoch: str = "",
    app_id: UUID | None = None,
    session_id: UUID | None = None,
) -> Authenticated:
    tenant = Tenant(
        organization_id=holder.organization_id,
        subdomain=holder.subdomain,
        scopes=scopes,
        credential_id=holder.credential_id,
        kind=kind,
        bucket=bucket,
        epoch=epoch,
        expires_at=expires_at,
        app_id=app_id,
        session_id=session_id,
    )
    return Authenticated(caller=tenant, gateway_key=holder.gateway_key, tier=holder.tier)
