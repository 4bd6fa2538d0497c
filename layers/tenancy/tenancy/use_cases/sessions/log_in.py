"""Log in: prove a password, and start a session."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import SsoRequiredError, UnauthenticatedError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.password_hashes import is_password_of, upgrade_hash
from tenancy.rules.people.passwords import normalize_password
from tenancy.rules.people.sessions import SessionMember, SessionTokens
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.session_members import find_member_by_email, lock_session_member, update_password_hash
from tenancy.use_cases.sessions.attempts import AttemptCounter, PasswordAttempt
from tenancy.use_cases.sessions.start_session import SignAccessToken, start_session
from tenancy.use_cases.sso.require_sso import require_password_log_in

SESSION_STARTED: Final = "session.started"
LOG_IN_REFUSED: Final = "The organization, the e-mail address or the password is wrong, or the member may not log in."


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """A request to log in.

    *organization_id* may belong to no organization. *email* is in lower case. *password* has at most 256 characters.
    """

    organization_id: UUID
    email: str
    password: str = field(repr=False)
    request_id: str
    source_address: str

    def actor_of(self, user_id: UUID) -> Actor:
        """Return the member as an actor of the audit log."""
        return Actor(kind=CallerKind.PERSON, id=user_id, request_id=self.request_id, source_address=self.source_address)


def log_in(
    platform_db: Homes, attempts: AttemptCounter, sign: SignAccessToken, asked: LogIn, *, now: datetime
) -> SessionTokens:
    """Return the tokens of a new session.

    Every refused log-in takes one look-up and one computation of a hash, so that its time does not tell the reason. A
    hash with old parameters is replaced.

    Raises:
        UnauthenticatedError: the member is unknown, may not log in, or has another password. No session was started.
        SsoRequiredError: the password is right, and the organization requires single sign-on.
        TooManyAttemptsError: too many attempts failed. The password was not checked.
        UnavailableError: the database is unreachable. A session may have been started that no client knows.
    """
    attempt = PasswordAttempt(
        organization_id=asked.organization_id, email=asked.email, source_address=asked.source_address
    )
    attempts.reserve(attempt, now=now)
    with platform_db.tenant_transaction(asked.organization_id) as conn:
        found = find_member_by_email(conn, asked.organization_id, asked.email)
    password = normalize_password(asked.password)
    is_right = is_password_of(found.password_hash if found else None, password)
    if found is None or not is_right or not found.may_log_in:
        raise UnauthenticatedError(LOG_IN_REFUSED)
    try:
        tokens = _start(platform_db, sign, asked, found, password, now=now)
    except SsoRequiredError:
        attempts.forget(attempt, now=now)  # the password was right
        raise
    attempts.forget(attempt, now=now)
    return tokens


def _start(
    platform_db: Homes, sign: SignAccessToken, asked: LogIn, found: SessionMember, password: str, *, now: datetime
) -> SessionTokens:
    """Start the session of *found*, unless it changed since it was read."""
    upgraded = upgrade_hash(found.password_hash or "", password)
    with platform_db.tenant_transaction(found.organization_id) as conn:
        member = lock_session_member(conn, found.organization_id, found.user_id)
        if member is None or not member.may_log_in or not _has_same_password(found, member):
            raise UnauthenticatedError(LOG_IN_REFUSED)
        require_password_log_in(conn, member, asked.actor_of(member.user_id), now=now)
        if upgraded is not None and member.password_hash == found.password_hash:
            update_password_hash(conn, member.organization_id, member.user_id, upgraded)
        tokens = start_session(conn, member, sign, now=now)
        record = AuditRecord.done(SESSION_STARTED, str(member.user_id), asked.actor_of(member.user_id), now=now)
        insert_audit_record(conn, member.organization_id, record)
    return tokens


def _has_same_password(before: SessionMember, member: SessionMember) -> bool:
    """Return whether the password is the same.

    A new password raises the epoch. An upgraded hash does not.
    """
    return member.password_hash == before.password_hash or member.epoch == before.epoch
