"""Delete expired and ended sessions with their refresh tokens, and successors that are not given again."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from tenancy.rules.durations import SUCCESSOR_RETENTION
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.expired_sessions import (
    delete_expired_sessions,
    forget_old_successors,
    list_with_expired_sessions,
    list_with_old_successors,
)
from tenancy.use_cases.schedule.failures import skip_moved

EXPIRED_SESSIONS_AT_ONCE: Final = 100  # a session has thousands of tokens
SUCCESSORS_AT_ONCE: Final = 1_000


def expire_sessions(platform_db: Database, *, now: datetime, has_time: Callable[[], bool]) -> int:
    """Delete expired sessions while there is time, and return their number.

    Each organization's sessions are deleted in its own transaction. A round that deletes none is the last one.

    Raises:
        UnavailableError: the database is unreachable. The next run deletes the rest.
    """
    deleted = 0
    while has_time():
        with platform_db.transaction() as conn:
            found = list_with_expired_sessions(conn, now=now, limit=EXPIRED_SESSIONS_AT_ONCE)
        before = deleted
        for organization_id in found:
            with skip_moved(), platform_db.tenant_transaction(organization_id) as conn:
                deleted += delete_expired_sessions(conn, organization_id, now=now, limit=EXPIRED_SESSIONS_AT_ONCE)
        if deleted == before:
            return deleted
    return deleted


def forget_successors(platform_db: Database, *, now: datetime, has_time: Callable[[], bool]) -> int:
    """Delete successors that are no longer given again while there is time. Return the number of deleted ones.

    Each organization's successors are deleted in its own transaction. A round that deletes none is the last one.

    Raises:
        UnavailableError: the database is unreachable. The next run deletes the rest.
    """
    used_before, deleted = now - SUCCESSOR_RETENTION, 0
    while has_time():
        with platform_db.transaction() as conn:
            found = list_with_old_successors(conn, used_before=used_before, limit=SUCCESSORS_AT_ONCE)
        before = deleted
        for organization_id in found:
            with skip_moved(), platform_db.tenant_transaction(organization_id) as conn:
                deleted += forget_old_successors(
                    conn, organization_id, used_before=used_before, limit=SUCCESSORS_AT_ONCE
                )
        if deleted == before:
            return deleted
    return deleted
