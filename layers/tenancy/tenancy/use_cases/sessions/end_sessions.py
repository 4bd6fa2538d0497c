"""End sessions: log out here, or everywhere."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.opaque_tokens import TokenType, find_token
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.session_members import lock_session_member, raise_member_epoch
from tenancy.stores.postgres.sessions import end_session_of_token, end_sessions
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry

SESSION_ENDED: Final = "session.ended"
ALL_SESSIONS_ENDED: Final = "sessions.all_ended"


def log_out(
    platform_db: Homes,
    text: str,
    is_meant: Callable[[UUID], bool] = lambda _: True,
    *,
    request_id: str,
    source_address: str,
    now: datetime,
) -> None:
    """End the session of the refresh token *text*.

    A malformed or unknown token, and one of an ended session, is ignored. A token of an organization that the request
    does not mean (*is_meant*) is ignored as well.

    Raises:
        UnavailableError: the database is unreachable. The session may have ended.
    """
    token = find_token(text, TokenType.REFRESH)
    if token is None or not is_meant(token.organization_id):
        return
    with platform_db.tenant_transaction(token.organization_id) as conn:
        ended = end_session_of_token(conn, token.organization_id, token.digest, now=now)
        if ended is None:
            return
        session_id, user_id = ended
        actor = Actor(kind=CallerKind.PERSON, id=user_id, request_id=request_id, source_address=source_address)
        record = AuditRecord.done(SESSION_ENDED, str(session_id), actor, now=now)
        insert_audit_record(conn, token.organization_id, record)


def log_out_everywhere(
    platform_db: Homes, targets: OutboxTargets, tenant: Tenant, actor: Actor, *, now: datetime
) -> bool:
    """End all sessions of the member, and revoke its access tokens.

    Return whether Redis knows of it. If not, the sweep publishes it within minutes.

    Raises:
        UnavailableError: the database is unreachable. The sessions may have ended.
    """
    organization_id, user_id = tenant.organization_id, tenant.credential_id
    with platform_db.tenant_transaction(organization_id) as conn:
        lock_session_member(conn, organization_id, user_id)
        raise_member_epoch(conn, organization_id, user_id)
        end_sessions(conn, organization_id, user_id, now=now)
        insert_audit_record(conn, organization_id, AuditRecord.done(ALL_SESSIONS_ENDED, str(user_id), actor, now=now))
        entry = enqueue_credential_publication(conn, organization_id, user_id, now=now)
    return run_entry(platform_db, targets, entry, now=now)
