"""Log in by single sign-on: exchange the code of a finished log-in for the tokens of a session."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, find_token
from tenancy.rules.people.sessions import SessionTokens
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.session_members import lock_session_member
from tenancy.stores.postgres.sso_log_ins import lock_sso_code, update_code_used
from tenancy.use_cases.sessions.start_session import SignAccessToken, start_session
from tenancy.use_cases.sso.live_connection import find_live_connection

SESSION_STARTED_BY_SSO: Final = "session.started_by_sso"


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoCode:
    """The code of a log-in, and the verifier of the client, None without one."""

    token: OpaqueToken
    code_verifier: str | None = field(repr=False)
    request_id: str
    source_address: str


def parse_code(text: str) -> OpaqueToken:
    """Return *text* as a code of single sign-on.

    Raises:
        SsoRefusedError: its form or checksum is wrong. No store was asked.
    """
    token = find_token(text, TokenType.SSO_CODE)
    if token is None:
        raise SsoRefusedError(SsoFault.CODE_INVALID)
    return token


def log_in_by_sso(platform_db: Homes, sign: SignAccessToken, asked: SsoCode, *, now: datetime) -> SessionTokens:
    """Use up the code, and return the tokens of a new session of its member.

    Connection, entitlement and member are checked again: each may have ended since the person was proven.

    Raises:
        SsoRefusedError: the code is unknown, used or expired, its verifier is wrong, or the member may not log in.
        UnavailableError: the database is unreachable. The code may be used up.
    """
    organization_id = asked.token.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        log_in = lock_sso_code(conn, organization_id, asked.token.digest)
        if log_in is None or log_in.code_used_at is not None or log_in.expires_at <= now:
            raise SsoRefusedError(SsoFault.CODE_INVALID)
        if not log_in.takes(asked.code_verifier):
            raise SsoRefusedError(SsoFault.CODE_VERIFIER)
        connection = find_live_connection(conn, organization_id)
        if connection is None or connection.id != log_in.connection_id:
            raise SsoRefusedError(SsoFault.OTHER_CONNECTION)
        member = lock_session_member(conn, organization_id, log_in.user_id)
        if member is None or not member.may_log_in:
            raise SsoRefusedError(SsoFault.MEMBER_DISABLED)
        update_code_used(conn, organization_id, log_in.state_digest, now=now)
        tokens = start_session(conn, member, sign, now=now)
        actor = Actor(
            kind=CallerKind.PERSON,
            id=member.user_id,
            request_id=asked.request_id,
            source_address=asked.source_address,
        )
        record = AuditRecord.done(SESSION_STARTED_BY_SSO, str(member.user_id), actor, now=now)
        insert_audit_record(conn, organization_id, record)
    return tokens
