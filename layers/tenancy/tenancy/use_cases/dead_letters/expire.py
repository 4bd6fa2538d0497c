"""Delete dead letters 14 days after their first receipt."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.dead_letters import ExpiredLetter, delete_expired, list_expired
from tenancy.use_cases.schedule.failures import skip_moved

EXPIRED_AT_ONCE: Final = 1_000  # S3 deletes as many in one call


@dataclass(slots=True)
class Expiry:
    """The number of expired letters that were deleted, and of those that S3 did not delete."""

    deleted: int = 0
    kept: int = 0


def expire_dead_letters(
    platform_db: Database, objects: DeadLetterObjects, *, has_time: Callable[[], bool], now: datetime
) -> Expiry:
    """Delete objects and rows of expired dead letters of all organizations while there is time.

    Objects go before their rows: a run that dies between the two is repeated. A letter whose object S3 does not delete
    keeps its row, and the next run tries again. All other letters are deleted.

    Raises:
        UnavailableError: a store is unreachable. The next run deletes the rest.
    """
    expiry, after = Expiry(), None
    while True:
        with platform_db.transaction() as conn:
            page = list_expired(conn, after=after, limit=EXPIRED_AT_ONCE, now=now)
        if page:
            kept = objects.delete_bodies([(letter.organization_id, letter.id) for letter in page])
            deleted = [letter for letter in page if (letter.organization_id, letter.id) not in kept]
            _delete_rows(platform_db, deleted, now=now)
            expiry.deleted += len(deleted)
            expiry.kept += len(kept)
            after = page[-1]
        if len(page) < EXPIRED_AT_ONCE or not has_time():
            return expiry


def _delete_rows(platform_db: Database, letters: Collection[ExpiredLetter], *, now: datetime) -> None:
    by_organization: dict[UUID, list[UUID]] = defaultdict(list)
    for letter in letters:
        by_organization[letter.organization_id].append(letter.id)
    for organization_id, letter_ids in by_organization.items():
        with skip_moved(), platform_db.tenant_transaction(organization_id) as conn:
            delete_expired(conn, organization_id, letter_ids, now=now)
