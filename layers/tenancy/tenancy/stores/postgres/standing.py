"""The standing and the usage of an organization, for callers that do not find them in Redis."""

from datetime import date
from typing import Final
from uuid import UUID

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import REVOKED, CredentialState, Standing
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import TOTAL_PERIOD, CountedMonth, MonthSoFar, Period, RequestCounts
from tenancy.stores.postgres.client import Connection

FIND_STANDING: Final = """
    SELECT tier, overrides, status, token_epoch, (extract(epoch FROM updated_at) * 1000000)::bigint
    FROM organizations WHERE id = %s
"""
# A key that is not revoked, or the epoch of a member's valid tokens. A member that is not active has none: its next
# tokens will have a later epoch. So a member that becomes active again is admitted at once, though an epoch in Redis
# never falls.
FIND_CREDENTIAL: Final = """
    SELECT expires_at, NULL FROM api_keys
    WHERE organization_id = %(organization_id)s AND id = %(credential_id)s AND revoked_at IS NULL
    UNION ALL
    SELECT NULL, token_epoch + (status <> 'active')::integer FROM users
    WHERE organization_id = %(organization_id)s AND id = %(credential_id)s
"""
# One statement, so that sums and hours are of the same roll-up.
FIND_COUNTED_MONTH: Final = """
    SELECT u.requests, u.management, u.requests_today, u.management_today, u.events,
           CASE WHEN m.measured_at >= %(start)s THEN m.held_events ELSE 0 END,
           coalesce(m.storage_bytes, 0) + coalesce(t.used, 0),
           greatest(m.recent_from, %(start)s::date::timestamp AT TIME ZONE 'UTC'),
           coalesce(m.recent_hours, '{}'), coalesce(m.recent_events, '{}'), coalesce(m.recent_held_events, '{}')
    FROM (
        SELECT coalesce(sum(api_requests_count), 0)::bigint AS requests,
               coalesce(sum(management_requests_count), 0)::bigint AS management,
               coalesce(sum(api_requests_count) FILTER (WHERE metric_date = %(today)s), 0)::bigint AS requests_today,
               coalesce(sum(management_requests_count) FILTER (WHERE metric_date = %(today)s), 0)::bigint
                   AS management_today,
               coalesce(sum(events_count), 0)::bigint AS events
        FROM tenant_usage
        WHERE organization_id = %(organization_id)s AND metric_date >= %(start)s AND metric_date < %(end)s
    ) AS u
    LEFT JOIN measurements AS m ON m.organization_id = %(organization_id)s
    LEFT JOIN usage_totals AS t
      ON t.organization_id = %(organization_id)s AND t.metric = 'storage_bytes' AND t.period = %(total)s
"""


def find_standing(conn: Connection, organization_id: UUID) -> Standing | None:
    """Return the standing of the organization, or None if it does not exist."""
    row = conn.execute(FIND_STANDING, (organization_id,)).fetchone()
    if row is None:
        return None
    tier, overrides, status, epoch, version = row
    entitlements = Entitlements(tier=Tier(tier), overrides=overrides)
    return Standing(entitlements=entitlements, status=OrganizationStatus(status), epoch=epoch, version=version)


def find_credential(conn: Connection, organization_id: UUID, credential_id: UUID) -> CredentialState:
    """Return the state of a key or member. Any other credential is revoked."""
    values = {"organization_id": organization_id, "credential_id": credential_id}
    row = conn.execute(FIND_CREDENTIAL, values).fetchone()
    return CredentialState(ends_at=row[0], epoch=row[1]) if row else REVOKED


def find_counted_month(conn: Connection, organization_id: UUID, month: Period, *, today: date) -> CountedMonth:
    """Return the organization's usage in *month*.

    Requests are as of the last minute, events as of the last roll-up. Before the first roll-up all hours are recent.
    """
    values = {
        "organization_id": organization_id,
        "start": month.start,
        "end": month.end,
        "today": today,
        "total": TOTAL_PERIOD,
    }
    [(requests, management, requests_today, management_today, *usage, recent_from, hours, counts, held_counts)] = (
        conn.execute(FIND_COUNTED_MONTH, values)
    )
    events, held, storage_bytes = usage
    return CountedMonth(
        so_far=MonthSoFar(
            requests=RequestCounts(all=requests, management=management),
            requests_today=RequestCounts(all=requests_today, management=management_today),
            events=events,
            held=held,
            storage_bytes=storage_bytes,
        ),
        recent_from=recent_from,
        recent_hours={hour: (accepted, over) for hour, accepted, over in zip(hours, counts, held_counts, strict=True)},
    )
