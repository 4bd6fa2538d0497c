"""Who calls: a credential becomes the caller, and the key by which API Gateway meters it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tenancy.errors import UnauthenticatedError
from tenancy.rules.api_keys import ApiKey, KeyType
from tenancy.rules.credentials import Jwt, parse_authorization
from tenancy.rules.permissions import ROLES
from tenancy.rules.tenant import Caller, CallerKind, Operator, RateBucket, Tenant
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.lookups import CredentialHolder, find_key_holder, find_member, find_platform_key

if TYPE_CHECKING:
    from tenancy.rules.tokens import KeySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """The caller, and the value of its key in a usage plan; None for the operator, whom the stack's own key meters."""

    caller: Caller
    gateway_key: str | None


def authenticate(
    db: Database, key_set: "Callable[[], KeySet]", authorization: tuple[str, ...], *, now: datetime
) -> Authenticated:
    """Return who the values of the `Authorization` header prove.

    What cannot be anybody's credential is refused without *key_set* and *db*; a token that *key_set* does not verify is
    refused without *db*.

    Raises:
        UnauthenticatedError: nobody; whether the credential is bad, expired or revoked is not said.
        UnavailableError: the database is away.
    """
    credential = parse_authorization(authorization)
    if isinstance(credential, Jwt):
        return _authenticate_person(db, key_set(), credential, now=now)
    if credential.type is KeyType.PLATFORM:
        return _authenticate_operator(db, credential)
    return authenticate_key(db, credential, now=now)


def authenticate_key(db: Database, key: ApiKey, *, now: datetime) -> Authenticated:
    """Return the tenant that a secret or write key belongs to.

    Raises:
        UnauthenticatedError: the key is unknown, expired or revoked.
        UnavailableError: the database is away.
    """
    with db.transaction() as conn:
        holder = find_key_holder(conn, key.digest)
    if holder is None or (holder.expires_at is not None and holder.expires_at <= now):
        raise UnauthenticatedError
    bucket = RateBucket.INGEST if key.type is KeyType.WRITE else RateBucket.MANAGEMENT
    return _authenticated(holder, CallerKind.KEY, holder.scopes, holder.expires_at, bucket=bucket)


def _authenticate_operator(db: Database, key: ApiKey) -> Authenticated:
    with db.transaction() as conn:
        credential_id = find_platform_key(conn, key.digest)
    if credential_id is None:
        raise UnauthenticatedError
    return Authenticated(caller=Operator(credential_id=credential_id), gateway_key=None)


def _authenticate_person(db: Database, key_set: "KeySet", token: Jwt, *, now: datetime) -> Authenticated:
    claims = key_set.verify(token.text, now=now)
    with db.transaction() as conn:
        member = find_member(conn, claims.organization_id, claims.user_id)
    if member is None or member.epoch != claims.epoch:
        raise UnauthenticatedError
    scopes = ROLES[member.role].intersection(claims.permissions)
    return _authenticated(member, CallerKind.PERSON, scopes, claims.expires_at, epoch=member.epoch)


def _authenticated(
    holder: CredentialHolder,
    kind: CallerKind,
    scopes: frozenset[str],
    expires_at: datetime | None,
    *,
    bucket: RateBucket = RateBucket.MANAGEMENT,
    epoch: str = "",
) -> Authenticated:
    tenant = Tenant(
        organization_id=holder.organization_id,
        subdomain=holder.subdomain,
        tier=holder.tier,
        scopes=scopes,
        credential_id=holder.credential_id,
        kind=kind,
        bucket=bucket,
        epoch=epoch,
        expires_at=expires_at,
    )
    return Authenticated(caller=tenant, gateway_key=holder.gateway_key)
