"""Start a session of a member: its first refresh token, and an access token."""

from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from tenancy.rules.people.opaque_tokens import TokenType, generate_token
from tenancy.rules.people.sessions import SessionMember, SessionTokens, session_expiry
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.session_members import update_signed_in
from tenancy.stores.postgres.sessions import end_oldest_sessions, insert_refresh_token, insert_session


class SignAccessToken(Protocol):
    """A function that signs access tokens with the current key."""

    def __call__(self, member: SessionMember, session_id: UUID, *, now: datetime) -> str:
        """Return an access token of the session, which is valid from *now* on."""
        ...  # pyright requires a body of a method that returns


def start_session(conn: Connection, member: SessionMember, sign: SignAccessToken, *, now: datetime) -> SessionTokens:
    """Start a session in the transaction that proved the member's identity. Return its tokens.

    The transaction has locked *member* (`lock_session_member`), and has checked `may_log_in`. A session over the
    maximum ends the one that was refreshed longest ago. *now* is stored as the time of the member's newest log-in.
    """
    organization_id, session_id = member.organization_id, uuid4()
    refresh_token = generate_token(TokenType.REFRESH, organization_id)
    update_signed_in(conn, organization_id, member.user_id, now=now)
    end_oldest_sessions(conn, organization_id, member.user_id, now=now)
    insert_session(
        conn,
        organization_id,
        session_id,
        member.user_id,
        epoch=member.organization_epoch,
        expires_at=session_expiry(created_at=now, now=now),
        now=now,
    )
    insert_refresh_token(conn, organization_id, refresh_token.digest, session_id, now=now)
    return SessionTokens(access_token=sign(member, session_id, now=now), refresh_token=refresh_token)
