"""Read the dead letters of an organization by kind and cause, without their bodies."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.cursors import Page, PagedList
from tenancy.rules.dead_letters import LetterGroup
from tenancy.rules.standing import require_existing
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.dead_letters import list_letter_groups, list_letter_samples
from tenancy.stores.postgres.platform.organizations import find_organization

STORABLE: Final = r"^[^\x00]*\Z"  # PostgreSQL refuses U+0000, which a forged cursor may have


class GroupPosition(NamedTuple):
    """The position of a group in the list that is sorted by kind and cause."""

    kind: Annotated[str, msgspec.Meta(pattern=STORABLE)]
    cause: Annotated[str, msgspec.Meta(pattern=STORABLE)]


FIRST_GROUP: Final = GroupPosition("", "")  # before every kind and cause


def read_dead_letters(
    platform_db: Homes, organization_id: UUID, *, cursor: str | None, limit: int, now: datetime
) -> Page[LetterGroup]:
    """Return one page of the dead letters of an organization, or of the platform.

    Raises:
        InvalidError: *cursor* is invalid.
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="dead_letters", organization_id=organization_id, position=GroupPosition)
    after = listed.find_position(cursor) or FIRST_GROUP
    with platform_db.tenant_transaction(organization_id, is_snapshot=True) as conn:
        if organization_id != PLATFORM_LOG:
            require_existing(find_organization(conn, organization_id))
        found = list_letter_groups(conn, organization_id, after=after, limit=limit + 1, now=now)
        groups = [_with_samples(conn, organization_id, group, now) for group in found]
    return Page.of(groups, limit, lambda group: listed.format_cursor(GroupPosition(group.kind, group.cause)))


def _with_samples(conn: Connection, organization_id: UUID, group: LetterGroup, now: datetime) -> LetterGroup:
    return replace(group, samples=list_letter_samples(conn, organization_id, group.kind, group.cause, now=now))
