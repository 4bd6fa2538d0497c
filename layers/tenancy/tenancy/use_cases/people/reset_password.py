"""Reset a forgotten password: mail a one-time token, then take the new password with it."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.durations import ENDED_TOKEN_RETENTION, TOKEN_MAILS_TIME
from tenancy.rules.organization import CHANGEABLE
from tenancy.rules.people.one_time_tokens import LIFETIMES, TOKEN_MAILS_AN_HOUR, TokenPurpose
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import delete_ended_tokens, end_one_time_tokens, insert_reset
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.stores.postgres.sessions import end_sessions
from tenancy.stores.postgres.users import update_password
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.enqueue_mail import enqueue_password_changed_mail, enqueue_token_mail
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.people.mailed_tokens import ChosenPassword, hash_password, prove_member

RESET: Final = "password.reset"
PURPOSE: Final = TokenPurpose.PASSWORD_RESET
NO_ADDRESS: Final = ""  # of no member


def request_password_reset(
    platform_db: Homes,
    organization_id: UUID,
    *,
    email: str,
    request_id: str,
    source_address: str,
    now: datetime,
) -> None:
    """Enqueue the mail with a token for the active member with the address *email*.

    A member without a password gets it, too, unless its organization requires single sign-on.

    The caller learns nothing: the same statements run for an unknown address, and one outbox entry is inserted in each
    case. The sweep finds no token for it, and mails nothing. They also run for an organization that is unknown or
    deleted, and change nothing. An address gets at most 3 mails an hour. *request_id* and *source_address* are for the
    audit record, which the sweep writes.

    Raises:
        UnavailableError: the database is unreachable. The mail may be enqueued.
    """
    token_id = uuid4()
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = find_organization_of_tenant(conn, organization_id)
        is_changeable = organization is not None and organization.status in CHANGEABLE
        delete_ended_tokens(conn, organization_id, before=now - ENDED_TOKEN_RETENTION)
        insert_reset(
            conn,
            organization_id,
            token_id,
            email=email if is_changeable else NO_ADDRESS,
            since=now - TOKEN_MAILS_TIME,
            most=TOKEN_MAILS_AN_HOUR,
            now=now,
            expires_at=now + LIFETIMES[PURPOSE],
        )
        enqueue_token_mail(
            conn,
            organization_id,
            PURPOSE,
            token_id,
            request_id=request_id,
            source_address=source_address,
            is_wanted=is_changeable,
            now=now,
        )


def confirm_password_reset(
    platform_db: Homes, targets: OutboxTargets, chosen: ChosenPassword, *, now: datetime
) -> bool:
    """Replace the password of the member that the token belongs to.

    All sessions of the member end, and its access tokens are refused at the next request. Return whether Redis knows of
    it. If not, the sweep publishes it within minutes.

    Raises:
        UnauthenticatedError: the token is unknown, used or expired, or its member is not active any more.
        InvalidError: the password is too short, too long or easy to guess.
        UnavailableError: the database is unreachable. The password may be replaced.
    """
    organization_id = chosen.organization_id
    password_hash = hash_password(platform_db, chosen, PURPOSE, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        proven = prove_member(conn, chosen.token, PURPOSE, now=now)
        member = proven.member
        update_password(conn, organization_id, member.id, password_hash=password_hash)
        end_sessions(conn, organization_id, member.id, now=now)
        end_one_time_tokens(conn, organization_id, member.id, now=now)
        record = AuditRecord.done(RESET, str(member.id), chosen.actor_of(member), now=now)
        insert_audit_record(conn, organization_id, record)
        enqueue_password_changed_mail(conn, organization_id, member.email, proven.organization.name, now=now)
        publication = enqueue_credential_publication(conn, organization_id, member.id, now=now)
    return run_entry(platform_db, targets, publication, now=now)
