"""One-time tokens of an organization's members. Only a digest of a token is stored."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.people.member import MemberStatus, Role, StoredMember
from tenancy.rules.people.one_time_tokens import OneTimeToken, TokenPurpose
from tenancy.stores.postgres.client import Connection

# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_RESETS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
INSERT_ROW: Final = """
    INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, created_at, expires_at)
"""
INSERT_INVITATION: Final = (
    INSERT_ROW
    + """
    SELECT organization_id, %(token_id)s, id, 'invitation', %(now)s, %(expires_at)s FROM users
    WHERE organization_id = %(organization_id)s AND id = %(user_id)s
"""
)
FIND_NTH_INVITATION: Final = """
    SELECT created_at FROM one_time_tokens
    WHERE organization_id = %(organization_id)s AND user_id = %(user_id)s AND purpose = 'invitation'
      AND created_at > %(since)s
    ORDER BY created_at DESC OFFSET %(others)s LIMIT 1
"""
# One statement for known and unknown addresses, so that both take the same time.
INSERT_RESET: Final = (
    INSERT_ROW
    + """
    SELECT u.organization_id, %(token_id)s, u.id, 'password_reset', %(now)s, %(expires_at)s FROM users AS u
    WHERE u.organization_id = %(organization_id)s AND u.email = %(email)s AND u.status = 'active'
      AND (u.password_hash IS NOT NULL OR NOT EXISTS (
          SELECT FROM sso_connections AS c WHERE c.organization_id = u.organization_id AND c.required
      ))
      AND %(most)s > (
          SELECT count(*) FROM one_time_tokens AS t
          WHERE t.organization_id = u.organization_id AND t.user_id = u.id AND t.purpose = 'password_reset'
            AND t.created_at > %(since)s
      )
"""
)
INSERT_RESETS_OF_PASSWORDLESS: Final = (
    INSERT_ROW
    + """
    SELECT u.organization_id, gen_random_uuid(), u.id, %(purpose)s, %(now)s, %(expires_at)s FROM users AS u
    WHERE u.organization_id = %(organization_id)s AND u.status = 'active' AND u.password_hash IS NULL
      AND NOT EXISTS (
          SELECT FROM one_time_tokens AS t
          WHERE t.organization_id = u.organization_id AND t.user_id = u.id AND t.purpose = %(purpose)s
          HAVING count(*) FILTER (WHERE t.expires_at > %(now)s) > 0
              OR count(*) FILTER (WHERE t.created_at > %(since)s) >= %(most)s
      )
    RETURNING id
"""
)
SELECT_ROW: Final = """
    SELECT t.id, t.purpose, t.created_at, t.expires_at, t.digest IS NOT NULL AS is_mailed, u.id AS user_id, u.email,
           u.name, u.password_hash IS NOT NULL AS has_password, u.role, u.status, u.created_at AS user_created_at
    FROM one_time_tokens AS t JOIN users AS u ON u.organization_id = t.organization_id AND u.id = t.user_id
"""
FIND_BY_ID: Final = (
    SELECT_ROW
    + """
    WHERE t.organization_id = %(organization_id)s AND t.id = %(token_id)s AND t.expires_at > %(now)s
"""
)
FIND_BY_DIGEST: Final = (
    SELECT_ROW
    + """
    WHERE t.organization_id = %(organization_id)s AND t.digest = %(digest)s AND t.purpose = %(purpose)s
      AND t.expires_at > %(now)s
"""
)
HAS_INVITATION: Final = """
    SELECT EXISTS (
        SELECT FROM one_time_tokens WHERE organization_id = %s AND user_id = %s AND purpose = 'invitation'
           AND expires_at > %s
    )
"""
UPDATE_DIGEST: Final = "UPDATE one_time_tokens SET digest = %s WHERE organization_id = %s AND id = %s"
END_ROWS: Final = """
    UPDATE one_time_tokens SET digest = NULL, expires_at = %(now)s
    WHERE organization_id = %(organization_id)s AND user_id = %(user_id)s AND expires_at > %(now)s
"""
END_ALL_ROWS: Final = """
    UPDATE one_time_tokens SET digest = NULL, expires_at = %(now)s
    WHERE organization_id = %(organization_id)s AND expires_at > %(now)s
"""
# Two transactions may delete at once. Each leaves the rows that the other one has locked.
DELETE_ENDED: Final = """
    DELETE FROM one_time_tokens WHERE organization_id = %(organization_id)s AND id IN (
        SELECT id FROM one_time_tokens WHERE organization_id = %(organization_id)s AND expires_at <= %(before)s
        FOR UPDATE SKIP LOCKED
    )
"""


def insert_invitation(
    conn: Connection, organization_id: UUID, token_id: UUID, *, user_id: UUID, now: datetime, expires_at: datetime
) -> None:
    """Insert the token of an invitation, without a digest until it is mailed."""
    values = {"organization_id": organization_id, "token_id": token_id, "user_id": user_id}
    conn.execute(INSERT_INVITATION, {**values, "now": now, "expires_at": expires_at})


def find_nth_invitation(
    conn: Connection, organization_id: UUID, user_id: UUID, *, number: int, since: datetime
) -> datetime | None:
    """Return the time of the invitation that is the *number*-th newest of the user after *since*, None without one.

    A removed user keeps its row, so its invitations count, too.
    """
    values = {"organization_id": organization_id, "user_id": user_id, "since": since, "others": number - 1}
    row = conn.execute(FIND_NTH_INVITATION, values).fetchone()
    return row[0] if row else None


def has_live_invitation(conn: Connection, organization_id: UUID, user_id: UUID, *, now: datetime) -> bool:
    """Tell whether the user has an invitation that has not expired, mailed or not."""
    [(found,)] = conn.execute(HAS_INVITATION, (organization_id, user_id, now))
    return bool(found)


def insert_reset(
    conn: Connection,
    organization_id: UUID,
    token_id: UUID,
    *,
    email: str,
    since: datetime,
    most: int,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Insert the token of a password reset for the active member with the address *email*.

    A member without a password logs in by single sign-on. It gets a token unless single sign-on is required.
    No row is inserted without such a member, or if the member has *most* such tokens made after *since*. The function
    does the same work in each case, and returns no result.
    """
    conn.execute(LOCK_RESETS, (f"resets {organization_id} {email}",))
    values = {"organization_id": organization_id, "token_id": token_id, "email": email, "since": since, "most": most}
    conn.execute(INSERT_RESET, {**values, "now": now, "expires_at": expires_at})


def insert_resets_of_passwordless(
    conn: Connection,
    organization_id: UUID,
    purpose: TokenPurpose,
    *,
    since: datetime,
    most: int,
    now: datetime,
    expires_at: datetime,
) -> list[UUID]:
    """Insert a token for each active member without a password, and return the ids of the tokens.

    A member gets none that has such a token, unexpired, or *most* of them made after *since*.
    """
    values = {"organization_id": organization_id, "purpose": purpose, "since": since, "most": most, "now": now}
    values = {**values, "expires_at": expires_at}
    return [token_id for (token_id,) in conn.execute(INSERT_RESETS_OF_PASSWORDLESS, values)]


def find_one_time_token(
    conn: Connection, organization_id: UUID, token_id: UUID, *, now: datetime
) -> OneTimeToken | None:
    """Return the token with its member, or None if it is unknown or has expired at *now*."""
    values = {"organization_id": organization_id, "token_id": token_id, "now": now}
    with conn.cursor(row_factory=kwargs_row(_token)) as cursor:
        return cursor.execute(FIND_BY_ID, values).fetchone()


def find_token_of_digest(
    conn: Connection, organization_id: UUID, digest: bytes, purpose: TokenPurpose, *, now: datetime
) -> OneTimeToken | None:
    """Return the token of *digest* and *purpose* with its member, or None.

    An expired token is not returned.
    """
    values = {"organization_id": organization_id, "digest": digest, "purpose": purpose, "now": now}
    with conn.cursor(row_factory=kwargs_row(_token)) as cursor:
        return cursor.execute(FIND_BY_DIGEST, values).fetchone()


def update_token_digest(conn: Connection, organization_id: UUID, token_id: UUID, *, digest: bytes) -> None:
    """Store the *digest* of the token that is mailed next.

    An earlier mail's token is refused from then on.
    """
    conn.execute(UPDATE_DIGEST, (digest, organization_id, token_id))


def end_one_time_tokens(conn: Connection, organization_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """End all tokens of a member: they are used, replaced or of no use any more."""
    conn.execute(END_ROWS, {"organization_id": organization_id, "user_id": user_id, "now": now})


def end_all_one_time_tokens(conn: Connection, organization_id: UUID, *, now: datetime) -> int:
    """End all tokens of the organization's members, and return the number of those that had not ended."""
    return conn.execute(END_ALL_ROWS, {"organization_id": organization_id, "now": now}).rowcount


def delete_ended_tokens(conn: Connection, organization_id: UUID, *, before: datetime) -> None:
    """Delete the tokens of the organization that ended before *before*."""
    conn.execute(DELETE_ENDED, {"organization_id": organization_id, "before": before})


def _token(
    *,
    user_id: UUID,
    user_created_at: datetime,
    email: str,
    name: str | None,
    role: str,
    status: str,
    has_password: bool,
    purpose: str,
    **columns: Any,  # noqa: ANN401 - the other columns
) -> OneTimeToken:
    member = StoredMember(
        id=user_id,
        email=email,
        name=name,
        role=Role(role),
        status=MemberStatus(status),
        created_at=user_created_at,
        has_password=has_password,
    )
    return OneTimeToken(purpose=TokenPurpose(purpose), member=member, **columns)
