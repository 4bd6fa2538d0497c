"""Every minute: a threshold that was reached becomes mail to the organization's admins, and an event on the bus."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from tenancy.rules.quotas import QuotaNotice
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.platform.quota_notices import list_admins, list_unannounced, update_announced
from tenancy.use_cases.outbox.run_entries import OutboxKind

BATCH: Final = 100


def enqueue_quota_notices(platform_db: Database, *, now: datetime, has_time: Callable[[], bool] = lambda: True) -> int:
    """Owe mail and event for each notice that nobody was told of, while there is time, and return how many there were.

    Mark and effects are one transaction: each is owed once, whatever dies.

    Raises:
        UnavailableError: the database is away; the next minute goes on.
    """
    announced = 0
    while True:
        with platform_db.transaction() as conn:
            notices = list_unannounced(conn, limit=BATCH)
        for notice in notices:
            if not has_time():
                return announced
            with platform_db.tenant_transaction(notice.organization_id) as conn:
                announced += _announce(conn, notice, now)
        if len(notices) < BATCH:
            return announced


def _announce(conn: Connection, notice: QuotaNotice, now: datetime) -> bool:
    if not update_announced(conn, notice, now=now):
        return False
    reached = {
        "metric": notice.metric,
        "percent": notice.percent,
        "used": notice.used,
        "limit": notice.quota,
        "period": notice.period.isoformat(),
    }
    insert_outbox_entry(conn, notice.organization_id, OutboxKind.QUOTA_EVENT, reached, due_at=now)
    for address in list_admins(conn, notice.organization_id):
        insert_outbox_entry(conn, notice.organization_id, OutboxKind.QUOTA_MAIL, {**reached, "to": address}, due_at=now)
    return True
