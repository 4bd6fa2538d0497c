"""Delete dead letters 14 days after their first receipt."""

from collections import defaultdict
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.dead_letters import delete_expired, list_expired

EXPIRED_AT_ONCE: Final = 1_000  # S3 deletes as many in one call


def expire_dead_letters(platform_db: Database, objects: DeadLetterObjects, *, now: datetime) -> int:
    """Delete objects and rows of expired dead letters, and return their number.

    Zero means that none is left.

    Objects go before their rows: a run that dies between the two is repeated.

    Raises:
        UnavailableError: a store is unreachable. The next run deletes the rest.
    """
    with platform_db.transaction() as conn:
        expired = list_expired(conn, limit=EXPIRED_AT_ONCE, now=now)
    by_organization: dict[UUID, list[UUID]] = defaultdict(list)
    for organization_id, letter_id in expired:
        by_organization[organization_id].append(letter_id)
    for organization_id, letter_ids in by_organization.items():
        objects.delete_bodies(organization_id, letter_ids)
        with platform_db.tenant_transaction(organization_id) as conn:
            delete_expired(conn, organization_id, letter_ids, now=now)
    return len(expired)
