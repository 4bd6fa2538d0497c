"""End the invitations and password resets of a restored backup."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import end_all_one_time_tokens


def end_tokens(platform_db: Homes, organization_ids: Iterable[UUID], *, now: datetime) -> int:
    """End all one-time tokens of the organizations, and return their number.

    The backup does not know which of them were used or withdrawn after it. A mail that is still pending is not sent,
    because its token has ended. Invitations can be sent again.
    """
    ended = 0
    for organization_id in organization_ids:
        with platform_db.tenant_transaction(organization_id) as conn:
            ended += end_all_one_time_tokens(conn, organization_id, now=now)
    return ended
