"""Delete expired and ended sessions with their refresh tokens."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.expired_sessions import delete_expired_sessions, list_with_expired_sessions

EXPIRED_SESSIONS_AT_ONCE: Final = 100  # a session has thousands of tokens


def expire_sessions(platform_db: Database, *, now: datetime, has_time: Callable[[], bool]) -> int:
    """Delete expired sessions while there is time, and return their number.

    Each organization's sessions are deleted in its own transaction.

    Raises:
        UnavailableError: the database is unreachable. The next run deletes the rest.
    """
    deleted = 0
    while has_time():
        with platform_db.transaction() as conn:
            found = list_with_expired_sessions(conn, now=now, limit=EXPIRED_SESSIONS_AT_ONCE)
        for organization_id in found:
            with platform_db.tenant_transaction(organization_id) as conn:
                deleted += delete_expired_sessions(conn, organization_id, now=now, limit=EXPIRED_SESSIONS_AT_ONCE)
        if not found:
            return deleted
    return deleted
