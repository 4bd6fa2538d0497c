"""Invite a member: store it with the role, and mail a one-time token to its address."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import ENDED_TOKEN_RETENTION, ONE_MINUTE, TOKEN_MAILS_TIME
from tenancy.rules.people.member import PRESENT, MemberStatus, Role, StoredMember, require_permissions_of
from tenancy.rules.people.one_time_tokens import LIFETIMES, TIME_FORMAT, TOKEN_MAILS_AN_HOUR, TokenPurpose
from tenancy.rules.quotas import Metric
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import (
    delete_ended_tokens,
    end_one_time_tokens,
    find_nth_invitation,
    insert_invitation,
)
from tenancy.stores.postgres.seats import lock_seats
from tenancy.stores.postgres.users import find_user_by_email, insert_invited_user, lock_user, update_user
from tenancy.use_cases.idempotency.answer_once import RepeatableRequest, answer_once
from tenancy.use_cases.organizations.claim_seat import claim_seat
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.outbox.enqueue_mail import enqueue_token_mail

INVITED: Final = "member.invited"
INVITE_MEMBER: Final = "invite member"
NO_MEMBER_TEXT: Final = "There is no such member."


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """The address and the role of a person that is to be a member."""

    email: str
    role: Role


def invite_member(
    platform_db: Homes,
    encryptor: Encryptor,
    organization_id: UUID,
    invitation: Invitation,
    *,
    permissions: frozenset[str],
    actor: Actor,
    idempotency_key: str | None,
    now: datetime,
) -> StoredMember:
    """Invite a person as a member, for a caller with *permissions*, and return the member.

    The member counts against the limit of users at once. A removed member with the same address is invited again as the
    same row. The sweep sends the mail.

    Raises:
        ForbiddenError: the role has a permission that the caller lacks.
        ConflictError: a member has that address, was invited at this moment, or got too many invitations.
        QuotaExceededError: the limit of users is reached.
        NotFoundError, ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        IdempotencyKeyReusedError, RequestInProgressError, UnavailableError: as for `answer_once`.
    """
    require_permissions_of(invitation.role, permissions)

    def prepare() -> StoredMember:
        with platform_db.tenant_transaction(organization_id) as conn:
            return _invited(conn, organization_id, invitation, now=now)

    def commit(conn: Connection, member: StoredMember) -> None:
        lock_seats(conn, organization_id, Metric.USERS)
        require_changeable(conn, organization_id)
        known = find_user_by_email(conn, organization_id, invitation.email)
        if known is not None and (known.status in PRESENT or known.id != member.id):
            raise ConflictError(_taken(known))
        claim_seat(conn, organization_id, Metric.USERS, now=now)
        if known is None:
            insert_invited_user(conn, organization_id, member.id, email=member.email, role=member.role, now=now)
        else:
            update_user(conn, organization_id, member.id, role=member.role, status=member.status)
        _enqueue_invitation(conn, organization_id, member.id, actor, now=now)

    values = [invitation.email, invitation.role]
    request = RepeatableRequest.of(organization_id, actor.id, idempotency_key, INVITE_MEMBER, values)
    return answer_once(platform_db, encryptor, request, StoredMember, prepare, commit, now=now).answer


def _invited(conn: Connection, organization_id: UUID, invitation: Invitation, *, now: datetime) -> StoredMember:
    """Return the member to store: a new one, or a removed one with its former id.

    Raises:
        ConflictError: a member has the address.
    """
    known = find_user_by_email(conn, organization_id, invitation.email)
    if known is not None and known.status in PRESENT:
        raise ConflictError(_taken(known))
    return StoredMember(
        id=known.id if known is not None else uuid4(),
        email=invitation.email,
        name=None,
        role=invitation.role,
        status=MemberStatus.INVITED,
        created_at=known.created_at if known is not None else now,
        has_password=False,
    )


def _taken(known: StoredMember) -> str:
    return f"A member of the organization has this address. Its status is {known.status}."


def invite_again(
    platform_db: Homes,
    organization_id: UUID,
    user_id: UUID,
    *,
    permissions: frozenset[str],
    actor: Actor,
    now: datetime,
) -> StoredMember:
    """Send the invitation of a member again, with a new token that replaces the earlier one.

    Raises:
        NotFoundError: the organization has no such member.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        ForbiddenError: the member's role has a permission that the caller lacks.
        ConflictError: the member is not invited, or got too many invitations.
        UnavailableError: the database is unreachable. The invitation may be sent.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        member = _get_member(lock_user(conn, organization_id, user_id))
        require_permissions_of(member.role, permissions)
        if member.status is not MemberStatus.INVITED:
            raise ConflictError(
                f"Only an invited member gets an invitation. The status of this one is {member.status}."
            )
        end_one_time_tokens(conn, organization_id, user_id, now=now)
        _enqueue_invitation(conn, organization_id, user_id, actor, now=now)
    return member


def _enqueue_invitation(conn: Connection, organization_id: UUID, user_id: UUID, actor: Actor, *, now: datetime) -> None:
    _require_room_for_mail(conn, organization_id, user_id, now=now)
    token_id, purpose = uuid4(), TokenPurpose.INVITATION
    delete_ended_tokens(conn, organization_id, before=now - ENDED_TOKEN_RETENTION)
    insert_invitation(conn, organization_id, token_id, user_id=user_id, now=now, expires_at=now + LIFETIMES[purpose])
    enqueue_token_mail(conn, organization_id, purpose, token_id, now=now)
    insert_audit_record(conn, organization_id, AuditRecord.done(INVITED, str(user_id), actor, now=now))


def _require_room_for_mail(conn: Connection, organization_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """Refuse a further invitation of a locked member that got as many as an hour allows."""
    since = now - TOKEN_MAILS_TIME
    counted = find_nth_invitation(conn, organization_id, user_id, number=TOKEN_MAILS_AN_HOUR, since=since)
    if counted is None:
        return
    possible_at = (counted + TOKEN_MAILS_TIME + ONE_MINUTE).astimezone(UTC)  # the text has no seconds
    retry_at = possible_at.strftime(TIME_FORMAT)
    raise ConflictError(f"An address gets at most {TOKEN_MAILS_AN_HOUR} invitations an hour. Retry at {retry_at}.")


def _get_member(found: StoredMember | None) -> StoredMember:
    if found is None or found.status not in PRESENT:
        raise NotFoundError(NO_MEMBER_TEXT)
    return found
