"""Check a one-time token that a person got by mail, and the password that the person chose."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.audit_record import Actor
from tenancy.rules.organization import CHANGEABLE, OwnOrganization
from tenancy.rules.people.member import StoredMember
from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT, TokenPurpose
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.people.passwords import require_password
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import find_token_of_digest
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.stores.postgres.users import lock_user


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPassword:
    """A password of at most 256 characters that a person chose, with the *token* from its mail.

    *name* is the name that the person chose, None for none. *request_id* and *source_address* are for the audit log.
    """

    token: OpaqueToken
    password: str = field(repr=False)
    name: str | None = None
    request_id: str
    source_address: str

    @property
    def organization_id(self) -> UUID:
        """The organization of the token."""
        return self.token.organization_id

    def actor_of(self, member: StoredMember) -> Actor:
        """Return *member* as an actor of the audit log."""
        return Actor(
            kind=CallerKind.PERSON, id=member.id, request_id=self.request_id, source_address=self.source_address
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenMember:
    """A member whose address a token has proven, and its organization."""

    member: StoredMember
    organization: OwnOrganization


def hash_password(platform_db: Homes, chosen: ChosenPassword, purpose: TokenPurpose, *, now: datetime) -> str:
    """Return the hash of the password for the member that the token belongs to.

    The password is checked and hashed only for a valid token, because both take tens of milliseconds. No transaction is
    open meanwhile, so `prove_member` checks the token again.

    Raises:
        UnauthenticatedError: the token is not valid.
        InvalidError: the password is too short, too long or easy to guess.
        UnavailableError: the database is unreachable.
    """
    with platform_db.tenant_transaction(chosen.organization_id) as conn:
        proven = _require_proven(conn, chosen.token, purpose, now=now)
    member, organization = proven.member, proven.organization
    about = (member.email, member.name or "", chosen.name or "", organization.name, organization.subdomain)
    return HASHER.hash(require_password(chosen.password, about=about))


def prove_member(conn: Connection, token: OpaqueToken, purpose: TokenPurpose, *, now: datetime) -> ProvenMember:
    """Return the member that *token* belongs to, with its organization, and lock the member until the transaction ends.

    Of two requests with one token, the second waits here. The first one has ended the token by then.

    Raises:
        UnauthenticatedError: the token is not valid.
    """
    lock_user(conn, token.organization_id, _require_proven(conn, token, purpose, now=now).member.id)
    return _require_proven(conn, token, purpose, now=now)


def _require_proven(conn: Connection, token: OpaqueToken, purpose: TokenPurpose, *, now: datetime) -> ProvenMember:
    organization_id = token.organization_id
    organization = find_organization_of_tenant(conn, organization_id)
    found = find_token_of_digest(conn, organization_id, token.digest, purpose, now=now)
    if organization is None or organization.status not in CHANGEABLE or found is None or not found.is_usable:
        raise UnauthenticatedError(REFUSED_TOKEN_TEXT)
    return ProvenMember(member=found.member, organization=organization)
