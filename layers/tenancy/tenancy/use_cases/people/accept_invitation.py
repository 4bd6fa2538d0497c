"""Accept an invitation: the member chooses a password, becomes active, and is logged in."""

from dataclasses import dataclass, replace
from datetime import datetime

from tenancy.errors import UnauthenticatedError
from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.people.member import MEMBER_JOINED, MemberStatus, StoredMember
from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT, TokenPurpose
from tenancy.rules.people.sessions import SessionTokens
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import end_one_time_tokens
from tenancy.stores.postgres.session_members import lock_session_member
from tenancy.stores.postgres.users import update_user_joined
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.people.mailed_tokens import ChosenPassword, hash_password, prove_member
from tenancy.use_cases.sessions.log_in import SESSION_STARTED
from tenancy.use_cases.sessions.start_session import SignAccessToken, start_session
from tenancy.use_cases.sso.require_sso import require_no_sso


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedMember:
    """A member that accepted its invitation, and the tokens of its first session.

    If not *is_published*, the sweep publishes its epoch later.
    """

    member: StoredMember
    tokens: SessionTokens
    is_published: bool


def accept_invitation(
    platform_db: Homes, targets: OutboxTargets, sign: SignAccessToken, chosen: ChosenPassword, *, now: datetime
) -> JoinedMember:
    """Make the invited member of the token active, with its password and name, and log it in.

    The member has the role of its invitation. The token is used up and the session starts with the change, in one
    transaction.

    Raises:
        UnauthenticatedError: the token is unknown, used, replaced or expired, or its member is not invited any more.
        SsoRequiredError: the organization requires single sign-on. The first log-in by it consumes the invitation.
        InvalidError: the password is too short, too long or easy to guess.
        UnavailableError: the database is unreachable. The invitation may be accepted. If it is, the member can log in.
    """
    purpose, organization_id = TokenPurpose.INVITATION, chosen.organization_id
    password_hash = hash_password(platform_db, chosen, purpose, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        member = prove_member(conn, chosen.token, purpose, now=now).member
        require_no_sso(conn, organization_id)
        update_user_joined(conn, organization_id, member.id, name=chosen.name, password_hash=password_hash)
        end_one_time_tokens(conn, organization_id, member.id, now=now)
        record = AuditRecord.done(MEMBER_JOINED, str(member.id), chosen.actor_of(member), now=now)
        insert_audit_record(conn, organization_id, record)
        tokens = _start_session(conn, member, sign, chosen, now=now)
        publication = enqueue_credential_publication(conn, organization_id, member.id, now=now)
    return JoinedMember(
        member=replace(member, name=chosen.name, status=MemberStatus.ACTIVE, has_password=True, last_signed_in_at=now),
        tokens=tokens,
        is_published=run_entry(platform_db, targets, publication, now=now),
    )


def _start_session(
    conn: Connection, member: StoredMember, sign: SignAccessToken, chosen: ChosenPassword, *, now: datetime
) -> SessionTokens:
    """Start the first session of the member, which this transaction has locked and changed."""
    holder = lock_session_member(conn, chosen.organization_id, member.id)
    if holder is None or not holder.may_log_in:
        raise UnauthenticatedError(REFUSED_TOKEN_TEXT)
    record = AuditRecord.done(SESSION_STARTED, str(member.id), chosen.actor_of(member), now=now)
    insert_audit_record(conn, chosen.organization_id, record)
    return start_session(conn, holder, sign, now=now)
