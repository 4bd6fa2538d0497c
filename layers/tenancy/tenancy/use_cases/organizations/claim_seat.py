"""Claim a seat: check the limit of users or apps in the transaction that adds one."""

from datetime import datetime
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.quotas import Allowance, Metric, limit_of, list_reached_thresholds, quota_exceeded
from tenancy.stores.postgres.apps import count_apps
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.quota_notices import insert_notices
from tenancy.stores.postgres.seats import lock_seats
from tenancy.stores.postgres.standing import find_standing
from tenancy.stores.postgres.users import count_users


def claim_seat(conn: Connection, organization_id: UUID, metric: Metric, *, now: datetime) -> None:
    """Require that one more user or app fits the limit of the organization.

    Until the transaction ends, no other transaction can add one or change the limit.

    Raises:
        NotFoundError: there is no such organization.
        QuotaExceededError: the limit is reached.
    """
    lock_seats(conn, organization_id, metric)
    standing = find_standing(conn, organization_id)
    if standing is None:
        raise NotFoundError("There is no such organization.")
    entitlements = standing.entitlements
    used = count_users(conn, organization_id) if metric is Metric.USERS else count_apps(conn, organization_id)
    if not Allowance(used=used, limit=limit_of(entitlements, metric)).admits(1):
        raise quota_exceeded(entitlements, metric, used=used)
    insert_notices(
        conn,
        organization_id,
        list_reached_thresholds(organization_id, entitlements, metric, used=used + 1, today=now.date()),
        now=now,
    )
