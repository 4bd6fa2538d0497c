"""The member that calls: read it, and change its name or password."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic_core import PydanticCustomError

from tenancy.errors import FieldError, InvalidError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.password_hashes import HASHER, is_password_of
from tenancy.rules.people.passwords import normalize_password, parse_password
from tenancy.rules.people.sessions import SessionMember
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import end_one_time_tokens
from tenancy.stores.postgres.platform.outbox import OutboxEntry
from tenancy.stores.postgres.session_members import (
    find_session_member,
    lock_session_member,
    raise_member_epoch,
    update_member_name,
    update_password_hash,
)
from tenancy.stores.postgres.sessions import end_sessions
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.outbox.enqueue_mail import enqueue_password_changed_mail
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.sessions.attempts import AttemptCounter, PasswordAttempt

PASSWORD_CHANGED: Final = "member.password_changed"  # noqa: S105 - the name of an action
NO_MEMBER_TEXT: Final = "There is no such member."
MEMBER_RENAMED: Final = "member.renamed"
WRONG_PASSWORD: Final = "The current password is wrong."  # noqa: S105 - a text


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """A new password with the current one. Both have at most 256 characters."""

    password: str = field(repr=False)
    current_password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnChange:
    """A change of the member that calls.

    None changes nothing. *session_id* is the session that a new password does not end.
    """

    name: str | None = None
    password: NewPassword | None = None
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMember:
    """The member after a change.

    If not *is_published*, the sweep publishes its new epoch later.
    """

    member: SessionMember
    is_published: bool = True


def read_me(platform_db: Homes, tenant: Tenant) -> SessionMember:
    """Return the member that calls.

    Raises:
        NotFoundError: the member was removed since.
        UnavailableError: the database is unreachable.
    """
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        return _require_found(find_session_member(conn, tenant.organization_id, tenant.credential_id))


def change_me(
    platform_db: Homes,
    targets: OutboxTargets,
    attempts: AttemptCounter,
    tenant: Tenant,
    change: OwnChange,
    actor: Actor,
    *,
    now: datetime,
) -> ChangedMember:
    """Change the name or the password of the member that calls.

    A new password ends all other sessions, and revokes all access tokens of the member.

    Raises:
        InvalidError: the new password is easy to guess, or the current one is wrong. Nothing was changed.
        TooManyAttemptsError: too many passwords were wrong. Nothing was changed.
        NotFoundError: the member was removed or disabled since. Nothing was changed.
        UnavailableError: the database is unreachable. The change may be done.
    """
    member = read_me(platform_db, tenant)
    password_hash = None
    if change.password is not None:
        password_hash = _prove_password(attempts, member, change.password, actor, now=now)
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        require_changeable(conn, tenant.organization_id)
        locked = _require_found(lock_session_member(conn, tenant.organization_id, tenant.credential_id))
        if not locked.may_log_in:
            raise NotFoundError(NO_MEMBER_TEXT)
        if change.name is not None:
            update_member_name(conn, locked.organization_id, locked.user_id, change.name)
            _record(conn, locked, MEMBER_RENAMED, actor, now=now)
        entry = None
        if password_hash is not None:
            _require_same_password(member, locked)
            entry = _change_password(conn, locked, password_hash, change.session_id, actor, now=now)
        changed = _require_found(find_session_member(conn, locked.organization_id, locked.user_id))
    is_published = entry is None or run_entry(platform_db, targets, entry, now=now)
    return ChangedMember(member=changed, is_published=is_published)


def _prove_password(
    attempts: AttemptCounter, member: SessionMember, new: NewPassword, actor: Actor, *, now: datetime
) -> str:
    """Return the hash of the new password, after the current one was right."""
    about = [text for text in (member.email, member.name, member.organization_name, member.subdomain) if text]
    try:
        password = parse_password(new.password, about=about)
    except PydanticCustomError as error:
        raise _invalid("body/password", error.type, error.message()) from error
    attempt = PasswordAttempt(
        organization_id=member.organization_id, email=member.email, source_address=actor.source_address
    )
    attempts.reserve(attempt, now=now)
    if not is_password_of(member.password_hash, normalize_password(new.current_password)):
        raise _invalid("body/current_password", "invalid", WRONG_PASSWORD)
    attempts.forget(attempt, now=now)
    return HASHER.hash(password)


def _change_password(
    conn: Connection, member: SessionMember, password_hash: str, kept: UUID | None, actor: Actor, *, now: datetime
) -> OutboxEntry:
    organization_id, user_id = member.organization_id, member.user_id
    update_password_hash(conn, organization_id, user_id, password_hash)
    raise_member_epoch(conn, organization_id, user_id)
    end_sessions(conn, organization_id, user_id, now=now, kept=kept)
    end_one_time_tokens(conn, organization_id, user_id, now=now)
    _record(conn, member, PASSWORD_CHANGED, actor, now=now)
    enqueue_password_changed_mail(conn, organization_id, member.email, member.organization_name, now=now)
    return enqueue_credential_publication(conn, organization_id, user_id, now=now)


def _require_same_password(before: SessionMember, member: SessionMember) -> None:
    """Refuse the change if another request has replaced the current password meanwhile."""
    if member.password_hash != before.password_hash and member.epoch != before.epoch:
        raise _invalid("body/current_password", "invalid", WRONG_PASSWORD)


def _record(conn: Connection, member: SessionMember, action: str, actor: Actor, *, now: datetime) -> None:
    record = AuditRecord.done(action, str(member.user_id), actor, now=now)
    insert_audit_record(conn, member.organization_id, record)


def _require_found(member: SessionMember | None) -> SessionMember:
    if member is None:
        raise NotFoundError(NO_MEMBER_TEXT)
    return member


def _invalid(location: str, code: str, message: str) -> InvalidError:
    return InvalidError(message, errors=[FieldError(location=location, code=code, message=message)])
