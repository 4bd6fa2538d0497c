"""Erase a data subject from the dead letters of its organization."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Final
from uuid import UUID

from tenancy.rules.dead_letters import DeadLetter, without_subject
from tenancy.rules.erasures import ErasureJob
from tenancy.rules.events.frames import decode_lines
from tenancy.stores.aws.dead_letter_objects import READ_AT_ONCE, DeadLetterObjects
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.dead_letters import (
    list_unmarked,
    list_unsearched,
    update_deleted,
    update_letter_size,
    update_searched,
)

LETTERS_PER_PAGE: Final = 100
UNMARKED_PER_PAGE: Final = 1_000  # S3 lists as many objects in one call
PAGES_PER_TURN: Final = 10  # then another organization has its turn


def erase_from_dead_letters(
    platform_db: Homes,
    objects: DeadLetterObjects,
    job: ErasureJob,
    *,
    writer_wait: timedelta,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
) -> bool:
    """Remove the subject from the next dead letters, and return whether all are searched.

    A turn has at most `PAGES_PER_TURN` pages of letters that are marked as stored. The position is stored after each
    page, so that each letter is searched once. Letters that were stored within *writer_wait* are left to the next pass.
    Then letters without a mark are searched to the end, in each pass: one of them has an object if the drain died
    before the mark.

    Raises:
        UnavailableError: a store is unreachable. The next turn continues.
    """
    until = clock() - writer_wait
    for _ in range(PAGES_PER_TURN):
        with platform_db.tenant_transaction(job.organization_id) as conn:
            page = list_unsearched(conn, job.organization_id, job.id, until=until, limit=LETTERS_PER_PAGE)
        _erase(platform_db, objects, job, [letter for letter, _stored_at in page], now=clock())
        if page:
            with platform_db.tenant_transaction(job.organization_id) as conn:
                update_searched(conn, job.organization_id, job.id, *page[-1])
        if len(page) < LETTERS_PER_PAGE:
            return _erase_unmarked(platform_db, objects, job, has_time, clock)
        if not has_time():
            return False
    return False


def _erase_unmarked(
    platform_db: Homes,
    objects: DeadLetterObjects,
    job: ErasureJob,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
) -> bool:
    """Search the letters without a mark that have an object, and return whether all are searched.

    S3 lists the objects, because most of these letters have none: S3 refused them.
    """
    after: UUID | None = None
    while True:
        with platform_db.tenant_transaction(job.organization_id) as conn:
            page = list_unmarked(conn, job.organization_id, after=after, limit=UNMARKED_PER_PAGE)
        if page:
            stored = objects.find_stored(job.organization_id, [letter.id for letter in page])
            _erase(platform_db, objects, job, [letter for letter in page if letter.id in stored], now=clock())
            after = page[-1].id
        if len(page) < UNMARKED_PER_PAGE:
            return True
        if not has_time():
            return False


def _erase(
    platform_db: Homes, objects: DeadLetterObjects, job: ErasureJob, letters: Sequence[DeadLetter], *, now: datetime
) -> None:
    for part in batched(letters, READ_AT_ONCE, strict=False):
        bodies = objects.find_bodies(job.organization_id, [letter.id for letter in part])
        for letter in part:
            body = bodies[letter.id]
            if body is not None:
                _erase_from_body(platform_db, objects, job, letter, body, now=now)


def _erase_from_body(
    platform_db: Homes, objects: DeadLetterObjects, job: ErasureJob, letter: DeadLetter, body: str, *, now: datetime
) -> None:
    """Rewrite the letter's object without the subject, or delete it if nothing else is in it."""
    kept = without_subject(letter, body, job.subject, through=job.requested_at)
    if kept == body:
        return
    if kept is None:
        objects.delete_body(job.organization_id, letter.id)
    else:
        objects.put_body(job.organization_id, letter.id, kept)
    with platform_db.tenant_transaction(job.organization_id) as conn:
        if kept is None:
            update_deleted(conn, job.organization_id, [letter.id], now=now)
        else:
            update_letter_size(conn, letter, events=len(decode_lines(kept)), size_bytes=len(kept))
