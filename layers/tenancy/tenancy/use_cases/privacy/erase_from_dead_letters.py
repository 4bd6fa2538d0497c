"""Erase a data subject from the dead letters of its organization."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tenancy.rules.dead_letters import DeadLetter, without_subject
from tenancy.rules.erasures import ErasureJob
from tenancy.rules.events.frames import decode_lines
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.dead_letters import (
    list_unmarked,
    list_unsearched,
    update_deleted,
    update_letter_size,
    update_searched,
)

LETTERS_PER_PAGE: Final = 100
PAGES_PER_RUN: Final = 10


def erase_from_dead_letters(
    platform_db: Database,
    objects: DeadLetterObjects,
    job: ErasureJob,
    *,
    writer_wait: timedelta,
    clock: Callable[[], datetime],
) -> bool:
    """Remove the subject from the next dead letters, and return whether all are searched.

    Letters that were stored within *writer_wait* are left to the next pass. The position is stored after each page, so
    that each letter is searched once. Letters without a mark are searched in each run.

    Raises:
        UnavailableError: a store is unreachable. The next run continues.
    """
    until = clock() - writer_wait
    with platform_db.tenant_transaction(job.organization_id) as conn:
        unmarked = list_unmarked(conn, job.organization_id, limit=LETTERS_PER_PAGE)
    for letter in unmarked:
        _erase(platform_db, objects, job, letter, now=clock())
    for _ in range(PAGES_PER_RUN):
        with platform_db.tenant_transaction(job.organization_id) as conn:
            page = list_unsearched(conn, job.organization_id, job.id, until=until, limit=LETTERS_PER_PAGE)
        for letter, _stored_at in page:
            _erase(platform_db, objects, job, letter, now=clock())
        if page:
            with platform_db.tenant_transaction(job.organization_id) as conn:
                update_searched(conn, job.organization_id, job.id, *page[-1])
        if len(page) < LETTERS_PER_PAGE:
            return True
    return False


def _erase(
    platform_db: Database, objects: DeadLetterObjects, job: ErasureJob, letter: DeadLetter, *, now: datetime
) -> None:
    """Rewrite the letter's object without the subject, or delete it if nothing else is in it."""
    body = objects.find_body(job.organization_id, letter.id)
    if body is None:
        return
    kept = without_subject(letter, body, job.subject, through=job.requested_at)
    if kept == body:
        return
    if kept is None:
        objects.delete_bodies(job.organization_id, [letter.id])
    else:
        objects.put_body(job.organization_id, letter.id, kept)
    with platform_db.tenant_transaction(job.organization_id) as conn:
        if kept is None:
            update_deleted(conn, letter, now=now)
        else:
            update_letter_size(conn, letter, events=len(decode_lines(kept)), size_bytes=len(kept))
