"""Mail a one-time token to a member.

The token is made when its mail is sent, so no column ever holds it. Reasons: docs/decisions/0059-members.md.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.mails import render_mail
from tenancy.rules.organization import OwnOrganization
from tenancy.rules.people.one_time_tokens import TIME_FORMAT, OneTimeToken, TokenPurpose
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.mail import Mailer
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import find_one_time_token, update_token_digest
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.use_cases.outbox.send_mail import send_mail

RESET_REQUESTED: Final = "password.reset_requested"


def mail_one_time_token(
    platform_db: Homes,
    mailer: Mailer,
    organization_id: UUID,
    kind: str,
    payload: Mapping[str, Any],
    *,
    api_url: str,
    now: datetime,
) -> None:
    """Make the token of the outbox entry, store its digest, then send the mail of *kind*.

    Nothing is mailed if the token has expired or was used or replaced, or if its member has another status by now. If
    the process dies before the mail is sent, the next run makes another token, and the first one is refused.

    Raises:
        MailRefusedError: SES rejects this mail permanently.
        UnavailableError: the database or SES is unreachable.
    """
    token_id = UUID(payload["token_id"])
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = find_organization_of_tenant(conn, organization_id)
        found = find_one_time_token(conn, organization_id, token_id, now=now)
        if organization is None or found is None or not found.is_usable:
            return
        token = generate_token(TokenType.ONE_TIME, organization_id)
        update_token_digest(conn, organization_id, token_id, digest=token.digest)
        if found.purpose is TokenPurpose.PASSWORD_RESET and "request_id" in payload and not found.is_mailed:
            _record_request(conn, organization_id, found, payload)
    values = _values_of(organization, found, token)
    mail = render_mail(kind, {**values, "api_url": api_url})
    send_mail(platform_db, mailer, organization_id, mail, api_url=api_url)


def _values_of(organization: OwnOrganization, found: OneTimeToken, token: OpaqueToken) -> dict[str, str]:
    return {
        "to": found.member.email,
        "organization_name": organization.name,
        "subdomain": organization.subdomain,
        "role": found.member.role,
        "token": token.text,
        "expires_at": found.expires_at.astimezone(UTC).strftime(TIME_FORMAT),
    }


def _record_request(conn: Connection, organization_id: UUID, found: OneTimeToken, payload: Mapping[str, Any]) -> None:
    """Record the request for a reset with the member as its actor, though it proved nothing.

    It is recorded here, because the request itself does the same work for every address.
    """
    actor = Actor(
        kind=CallerKind.PERSON,
        id=found.member.id,
        request_id=payload["request_id"],
        source_address=payload["source_address"],
    )
    record = AuditRecord.done(RESET_REQUESTED, str(found.member.id), actor, now=found.created_at)
    insert_audit_record(conn, organization_id, record)
