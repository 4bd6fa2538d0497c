"""Refresh a session: replace its refresh token, and detect the reuse of a replaced one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import UnauthenticatedError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, find_token, generate_token
from tenancy.rules.people.session_tokens import decrypt_successor, encrypt_successor
from tenancy.rules.people.sessions import MAX_REFRESHES, SessionMember, SessionTokens, TokenInFamily, session_expiry
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.outbox import OutboxEntry, insert_outbox_entry
from tenancy.stores.postgres.session_members import lock_session_member, raise_member_epoch
from tenancy.stores.postgres.sessions import (
    end_session,
    find_user_of_token,
    lock_refresh_token,
    replace_refresh_token,
)
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_entry
from tenancy.use_cases.sessions.start_session import SignAccessToken

REUSE_DETECTED: Final = "session.reuse_detected"
REFRESH_REFUSED: Final = "The refresh token is malformed, unknown, used before or expired, or its session has ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A request to refresh a session."""

    token: OpaqueToken
    request_id: str
    source_address: str


def parse_refresh_token(text: str) -> OpaqueToken:
    """Return *text* as a refresh token.

    Raises:
        UnauthenticatedError: its form or checksum is wrong. No store was asked.
    """
    token = find_token(text, TokenType.REFRESH)
    if token is None:
        raise UnauthenticatedError(REFRESH_REFUSED)
    return token


def refresh_session(
    platform_db: Homes,
    targets: OutboxTargets,
    sign: SignAccessToken,
    asked: Refresh,
    *,
    report_unpublished: Callable[[UUID], None],
    now: datetime,
) -> SessionTokens:
    """Return a new access token, and the successor of the refresh token.

    A token that was used within the last 30 seconds gets the same successor again. If it was used earlier, a copy of it
    exists: the session ends, the access tokens of the member are revoked, and the member gets a mail. A session ends at
    the refresh after its 10,000th.

    *report_unpublished* is called with the organization's id if Redis does not know of revoked access tokens. Then the
    sweep publishes them later.

    Raises:
        UnauthenticatedError: the token is unknown or was used before, or its session has ended or expired.
        UnavailableError: the database is unreachable. The token may have been used. A repeated request within 30
            seconds gets its successor.
    """
    with platform_db.tenant_transaction(asked.token.organization_id) as conn:
        outcome = _refresh(conn, sign, asked, now=now)
    if isinstance(outcome, OutboxEntry) and not run_entry(platform_db, targets, outcome, now=now):
        report_unpublished(asked.token.organization_id)
    if not isinstance(outcome, SessionTokens):
        raise UnauthenticatedError(REFRESH_REFUSED)
    return outcome


def _refresh(
    conn: Connection, sign: SignAccessToken, asked: Refresh, *, now: datetime
) -> SessionTokens | OutboxEntry | None:
    """Return the tokens, or the claimed entry of a detected reuse, or None for a refused token."""
    used, organization_id = asked.token, asked.token.organization_id
    user_id = find_user_of_token(conn, organization_id, used.digest)
    if user_id is None:
        return None
    member = lock_session_member(conn, organization_id, user_id)
    family = lock_refresh_token(conn, organization_id, used.digest)
    if member is None or family is None or not family.is_live(member, now=now):
        return None
    if family.used_at is None and family.refreshes >= MAX_REFRESHES:
        end_session(conn, organization_id, family.session_id, now=now)
        return None
    if family.used_at is None:
        successor = _replace(conn, used, family, now=now)
    elif family.repeats_at(now):
        successor = decrypt_successor(used, family.successor or b"")
    else:
        return _end_reused(conn, member, family, asked, now=now)
    return SessionTokens(access_token=sign(member, family.session_id, now=now), refresh_token=successor)


def _replace(conn: Connection, used: OpaqueToken, family: TokenInFamily, *, now: datetime) -> OpaqueToken:
    successor = generate_token(TokenType.REFRESH, used.organization_id)
    replace_refresh_token(
        conn,
        used.organization_id,
        family.session_id,
        used=used.digest,
        successor=successor.digest,
        encrypted=encrypt_successor(used, successor),
        expires_at=session_expiry(created_at=family.created_at, now=now),
        now=now,
    )
    return successor


def _end_reused(
    conn: Connection, member: SessionMember, family: TokenInFamily, asked: Refresh, *, now: datetime
) -> OutboxEntry:
    organization_id, user_id = member.organization_id, member.user_id
    end_session(conn, organization_id, family.session_id, now=now)
    raise_member_epoch(conn, organization_id, user_id)
    actor = Actor(kind=CallerKind.PERSON, id=user_id, request_id=asked.request_id, source_address=asked.source_address)
    record = AuditRecord.done(REUSE_DETECTED, str(family.session_id), actor, now=now)
    insert_audit_record(conn, organization_id, record)
    mail = {"to": member.email, "organization_name": member.organization_name, "detected_at": now.isoformat()}
    insert_outbox_entry(conn, organization_id, OutboxKind.SESSION_REUSE_MAIL, mail, due_at=now)
    return enqueue_credential_publication(conn, organization_id, user_id, now=now)
