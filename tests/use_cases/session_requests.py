"""Members of a test that log in and refresh, and a signer of their access tokens."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from tenancy.rules.audit_record import Actor
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.people.sessions import SessionMember, SessionTokens
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.sessions.attempts import AttemptCounter
from tenancy.use_cases.sessions.log_in import LogIn, log_in
from tenancy.use_cases.sessions.me import NewPassword, OwnChange
from tenancy.use_cases.sessions.refresh_session import Refresh, refresh_session
from tests.given import NOW, PASSWORD, Databases
from tests.use_cases.audit_records import entries

HOME = "203.0.113.7"
OFFICE = "198.51.100.20"
OTHER_PASSWORD = "seven purple giraffes dancing"
SECOND = timedelta(seconds=1)


def sign(member: SessionMember, session_id: UUID, *, now: datetime) -> str:
    """Return a readable text in place of a signed token."""
    return f"{member.user_id} {member.epochs} {session_id} {now.isoformat()}"


def session_of(tokens: SessionTokens) -> UUID:
    return UUID(tokens.access_token.split()[2])


@dataclass(slots=True)
class Uncounted:
    """Counts the attempts that Redis did not count."""

    attempts: int = 0

    def __call__(self) -> None:
        self.attempts += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The members of a test, and the stores that they use."""

    databases: Databases
    redis: Redis
    targets: OutboxTargets
    uncounted: Uncounted = field(default_factory=Uncounted)
    unpublished: list[UUID] = field(default_factory=list)

    @property
    def attempts(self) -> AttemptCounter:
        return AttemptCounter(redis=self.redis, count_uncounted=self.uncounted)

    def log_in(
        self,
        organization_id: UUID,
        email: str,
        password: str = PASSWORD,
        *,
        address: str = HOME,
        now: datetime = NOW,
    ) -> SessionTokens:
        asked = LogIn(
            organization_id=organization_id,
            email=email,
            password=password,
            request_id="request-1",
            source_address=address,
        )
        return log_in(self.databases.platform, self.attempts, sign, asked, now=now)

    def log_in_admin(self, provisioned: Provisioned, *, now: datetime = NOW) -> SessionTokens:
        return self.log_in(provisioned.organization.id, provisioned.admin_email, now=now)

    def refresh(self, token: OpaqueToken, *, now: datetime = NOW) -> SessionTokens:
        asked = Refresh(token=token, request_id="request-2", source_address=HOME)
        return refresh_session(
            self.databases.platform,
            self.targets,
            sign,
            asked,
            report_unpublished=self.unpublished.append,
            now=now,
        )


def admin_of(provisioned: Provisioned) -> Tenant:
    return Tenant(
        organization_id=provisioned.organization.id,
        subdomain=provisioned.organization.subdomain,
        scopes=frozenset(),
        credential_id=provisioned.admin_user_id,
        kind=CallerKind.PERSON,
        epoch="0.0",
    )


def actor_of(provisioned: Provisioned) -> Actor:
    return Actor(kind=CallerKind.PERSON, id=provisioned.admin_user_id, request_id="request-3", source_address=HOME)


def new_password(*, current: str = PASSWORD, kept: UUID | None = None) -> OwnChange:
    return OwnChange(password=NewPassword(password=OTHER_PASSWORD, current_password=current), session_id=kept)


def change_member(databases: Databases, provisioned: Provisioned, change: str, *values: object) -> None:
    """Change columns of the first member, as the superuser. *change* is a list of assignments."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        conn.execute(f"UPDATE users SET {change} WHERE id = %s".encode(), (*values, provisioned.admin_user_id))


def change_organization(databases: Databases, provisioned: Provisioned, change: str) -> None:
    """Change columns of the organization, as the superuser."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as conn:
        conn.execute(f"UPDATE organizations SET {change} WHERE id = %s".encode(), (provisioned.organization.id,))


def rows(databases: Databases, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, past all policies."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        return conn.execute(statement.encode(), values).fetchall()


def actions(databases: Databases, provisioned: Provisioned) -> list[str]:
    """Return the actions of the audit log that concern sessions and members."""
    found = [entry.action for entry in entries(databases, provisioned.organization.id)]
    return [action for action in found if action.startswith(("session", "member"))]
