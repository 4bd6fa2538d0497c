"""Read the dead letters of an organization by kind and cause, without their bodies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.cursors import format_text_cursor, parse_text_cursor
from tenancy.rules.dead_letters import LetterGroup
from tenancy.rules.standing import require_existing
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.dead_letters import list_letter_groups, list_letter_samples
from tenancy.stores.postgres.platform.organizations import find_organization

FIRST_GROUP: Final = ("", "")  # before every kind and cause


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPage:
    """One page of groups, sorted by kind and cause. *next_cursor* is None on the last page."""

    groups: Sequence[LetterGroup]
    next_cursor: str | None


def read_dead_letters(
    platform_db: Database, organization_id: UUID, *, cursor: str | None, limit: int, now: datetime
) -> LetterPage:
    """Return one page of the dead letters of an organization, or of the platform.

    Raises:
        InvalidError: *cursor* is invalid.
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        UnavailableError: the database is unreachable.
    """
    after = parse_text_cursor(cursor) if cursor else FIRST_GROUP
    with platform_db.tenant_transaction(organization_id, is_snapshot=True) as conn:
        if organization_id != PLATFORM_LOG:
            require_existing(find_organization(conn, organization_id))
        found = list_letter_groups(conn, organization_id, after=after, limit=limit + 1, now=now)
        groups = [_with_samples(conn, organization_id, group, now) for group in found[:limit]]
    last = groups[-1] if len(found) > limit else None
    return LetterPage(groups=groups, next_cursor=format_text_cursor(last.kind, last.cause) if last else None)


def _with_samples(conn: Connection, organization_id: UUID, group: LetterGroup, now: datetime) -> LetterGroup:
    return replace(group, samples=list_letter_samples(conn, organization_id, group.kind, group.cause, now=now))
