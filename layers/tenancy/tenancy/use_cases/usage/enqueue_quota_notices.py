"""Enqueue mails to the admins and an EventBridge event for each reached quota threshold."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from tenancy.rules.quotas import QuotaNotice
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.platform.quota_notices import list_admins, list_unannounced, update_announced
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tenancy.use_cases.schedule.failures import skip_moved

BATCH: Final = 100


def enqueue_quota_notices(platform_db: Database, *, now: datetime, has_time: Callable[[], bool] = lambda: True) -> int:
    """Enqueue mails and an event for each unannounced notice, and return the number of notices.

    The notices that there is no time for are left to the next minute. The mark of a notice and its outbox entries are
    one transaction: each entry is enqueued once, also after a crash.

    Raises:
        UnavailableError: the database is unreachable. The next minute continues.
    """
    enqueued = 0
    while True:
        with platform_db.transaction() as conn:
            notices = list_unannounced(conn, limit=BATCH)
        for notice in notices:
            if not has_time():
                return enqueued
            with skip_moved(), platform_db.tenant_transaction(notice.organization_id) as conn:
                enqueued += _announce(conn, notice, now)
        if len(notices) < BATCH:
            return enqueued


def _announce(conn: Connection, notice: QuotaNotice, now: datetime) -> bool:
    if not update_announced(conn, notice, now=now):
        return False
    payload = {
        "metric": notice.metric,
        "percent": notice.percent,
        "used": notice.used,
        "limit": notice.quota,
        "period": notice.period.isoformat(),
    }
    insert_outbox_entry(conn, notice.organization_id, OutboxKind.QUOTA_EVENT, payload, due_at=now)
    for address in list_admins(conn, notice.organization_id):
        insert_outbox_entry(conn, notice.organization_id, OutboxKind.QUOTA_MAIL, {**payload, "to": address}, due_at=now)
    return True
