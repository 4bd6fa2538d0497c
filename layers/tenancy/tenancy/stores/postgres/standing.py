"""How an organization stands, and what it has used, as PostgreSQL knows it: where Redis does not."""

from datetime import date
from typing import Final
from uuid import UUID

from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import REVOKED, Standing
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import TOTAL_PERIOD, MonthSoFar, Period
from tenancy.stores.postgres.client import Connection

FIND_STANDING: Final = """
    SELECT tier, status, token_epoch, (extract(epoch FROM updated_at) * 1000000)::bigint
    FROM organizations WHERE id = %s
"""
# A live key, or an active person with an epoch.
FIND_CREDENTIAL: Final = """
    SELECT 'live' FROM api_keys
    WHERE organization_id = %(organization_id)s AND id = %(credential_id)s AND revoked_at IS NULL
    UNION ALL
    SELECT token_epoch::text FROM users
    WHERE organization_id = %(organization_id)s AND id = %(credential_id)s AND status = 'active'
"""
FIND_MONTH_SO_FAR: Final = """
    SELECT coalesce(sum(u.api_requests_count), 0)::bigint,
           coalesce(sum(u.api_requests_count) FILTER (WHERE u.metric_date = %(today)s), 0)::bigint,
           coalesce(sum(u.events_count), 0)::bigint,
           coalesce((
               SELECT m.held_events FROM measurements AS m
               WHERE m.organization_id = %(organization_id)s AND m.measured_at >= %(start)s
           ), 0),
           coalesce((SELECT m.storage_bytes FROM measurements AS m WHERE m.organization_id = %(organization_id)s), 0)
           + coalesce((
               SELECT t.used FROM usage_totals AS t
               WHERE t.organization_id = %(organization_id)s AND t.metric = 'storage_bytes' AND t.period = %(total)s
           ), 0)
    FROM tenant_usage AS u
    WHERE u.organization_id = %(organization_id)s AND u.metric_date >= %(start)s AND u.metric_date < %(end)s
"""


def find_standing(conn: Connection, organization_id: UUID) -> Standing | None:
    """Return how the organization stands, None when there is none."""
    row = conn.execute(FIND_STANDING, (organization_id,)).fetchone()
    if row is None:
        return None
    tier, status, epoch, version = row
    return Standing(tier=Tier(tier), status=OrganizationStatus(status), epoch=epoch, version=version)


def find_credential(conn: Connection, organization_id: UUID, credential_id: UUID) -> str:
    """Return `live` for a key, the epoch of a person, and `revoked` for what is neither any more."""
    values = {"organization_id": organization_id, "credential_id": credential_id}
    row = conn.execute(FIND_CREDENTIAL, values).fetchone()
    return row[0] if row else REVOKED


def find_month_so_far(conn: Connection, organization_id: UUID, month: Period, *, today: date) -> MonthSoFar:
    """Return what the organization used in *month*: requests as of the last minute, events as of the last roll-up."""
    values = {
        "organization_id": organization_id,
        "start": month.start,
        "end": month.end,
        "today": today,
        "total": TOTAL_PERIOD,
    }
    [(requests, requests_today, events, held, storage_bytes)] = conn.execute(FIND_MONTH_SO_FAR, values)
    return MonthSoFar(
        requests=requests, requests_today=requests_today, events=events, held=held, storage_bytes=storage_bytes
    )
