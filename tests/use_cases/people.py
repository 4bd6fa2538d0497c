"""Members for tests: people that are invited, and the tokens in their mails."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from moto.ses.models import ses_backends

from tenancy.rules.audit_record import Actor
from tenancy.rules.people.member import Role, StoredMember
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, find_token
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import AdmittedTenant, CallerKind
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.people.accept_invitation import JoinedMember, accept_invitation
from tenancy.use_cases.people.invite_member import Invitation, invite_member
from tenancy.use_cases.people.mailed_tokens import ChosenPassword
from tests.given import NOW, PASSWORD, REGION, Databases, sold
from tests.handlers.conftest import ACCOUNT
from tests.handlers.functions import superuser
from tests.use_cases.session_requests import sign

ADDRESS = "new.member@acme.example"
TOKEN = re.compile(r"ot_[0-9A-Za-z]+")
SOURCE = {"request_id": "request-2", "source_address": "203.0.113.20"}
LIST_ACTIONS = """
    SELECT action, target, actor_kind, actor_id FROM audit_log
    WHERE organization_id = %s AND action !~ '^(organization|session)' ORDER BY occurred_at, action
"""
EPOCHS = """
    SELECT o.token_epoch::text || '.' || u.token_epoch::text FROM users AS u
    JOIN organizations AS o ON o.id = u.organization_id WHERE u.id = %s
"""


def admin_of(provisioned: Provisioned) -> Actor:
    """Return the first member of an organization as an actor."""
    return Actor(kind=CallerKind.PERSON, id=provisioned.admin_user_id, **SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The members of one organization, and the mails to them."""

    databases: Databases
    targets: OutboxTargets
    encryptor: Encryptor
    provisioned: Provisioned

    @property
    def organization_id(self) -> UUID:
        return self.provisioned.organization.id

    def invite(
        self,
        email: str = ADDRESS,
        role: Role = Role.VIEWER,
        *,
        permissions: frozenset[str] = PERMISSIONS,
        idempotency_key: str | None = None,
        now: datetime = NOW,
    ) -> StoredMember:
        return invite_member(
            self.databases.platform,
            self.encryptor,
            self.organization_id,
            Invitation(email=email, role=role),
            permissions=permissions,
            actor=admin_of(self.provisioned),
            idempotency_key=idempotency_key,
            now=now,
        )

    def sweep(self, now: datetime = NOW) -> None:
        """Run the due outbox entries, as the sweep does."""
        run_due_entries(self.databases.platform, self.targets, now=now)

    def accept(self, token: OpaqueToken, *, now: datetime = NOW, password: str = PASSWORD) -> StoredMember:
        return self.log_in(token, now=now, password=password).member

    def log_in(self, token: OpaqueToken, *, now: datetime = NOW, password: str = PASSWORD) -> JoinedMember:
        """Accept the invitation of a token, which also logs the member in."""
        chosen = ChosenPassword(token=token, password=password, name="New Member", **SOURCE)
        return accept_invitation(self.databases.platform, self.targets, sign, chosen, now=now)

    def join(self, email: str = ADDRESS, role: Role = Role.VIEWER, *, now: datetime = NOW) -> StoredMember:
        """Invite a person, and accept the invitation with the token of its mail."""
        self.invite(email, role, now=now)
        self.sweep(now)
        return self.accept(mailed_tokens(email)[-1], now=now)

    def actions(self) -> list[tuple[Any, ...]]:
        """Return the audit records about members: action, target, kind and id of the actor."""
        with superuser(self.databases) as conn:
            return conn.execute(LIST_ACTIONS, (self.organization_id,)).fetchall()

    def tenant(self, member: StoredMember) -> AdmittedTenant:
        """Return a member with its current access token."""
        with superuser(self.databases) as conn:
            [(epochs,)] = conn.execute(EPOCHS, (member.id,)).fetchall()
        organization = self.provisioned.organization
        return AdmittedTenant(
            organization_id=organization.id,
            subdomain=organization.subdomain,
            entitlements=sold(organization.tier),
            scopes=PERMISSIONS,
            credential_id=member.id,
            kind=CallerKind.PERSON,
            epoch=epochs,
        )


def mail_texts(address: str) -> list[str]:
    """Return the texts of all mails to *address*, oldest first.

    They are read from moto in this process, because no call of AWS returns them.
    """
    sent = ses_backends[ACCOUNT][REGION].sent_messages
    return [message.body for message in sent if message.destinations["ToAddresses"] == [address]]


def mailed_tokens(address: str) -> list[OpaqueToken]:
    """Return the one-time tokens in all mails to *address*, oldest first."""
    found = [find_token(text, TokenType.ONE_TIME) for body in mail_texts(address) for text in TOKEN.findall(body)]
    return [token for token in found if token is not None]
