"""Organizations for the platform's operator, newest first, a page at a time."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.errors import FieldError, InvalidError, NotFoundError
from tenancy.organization import Organization, Status
from tenancy.stores.platform.organizations import find_organization, list_organizations
from tenancy.stores.postgres import Database
from tenancy.tiers import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list; *next_cursor* is None on the last one."""

    organizations: Sequence[Organization]
    next_cursor: str | None


def get_organization(platform_db: Database, organization_id: UUID) -> Organization:
    """Return the organization.

    Raises:
        NotFoundError: there is none.
    """
    with platform_db.transaction() as conn:
        organization = find_organization(conn, organization_id)
    if organization is None:
        raise NotFoundError("There is no such organization.")
    return organization


def list_page(
    platform_db: Database, *, status: Status | None, tier: Tier | None, cursor: str | None, limit: int
) -> Page:
    """Return at most *limit* organizations after *cursor*, which a page before gave.

    Raises:
        InvalidError: the cursor is none of ours.
    """
    before = _parse_cursor(cursor) if cursor is not None else None
    with platform_db.transaction() as conn:
        found = list_organizations(conn, status=status, tier=tier, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(organizations=found[:limit], next_cursor=_cursor(found[limit - 1]) if more else None)


def _cursor(last: Organization) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at.isoformat()} {last.id}".encode()).decode()


def _parse_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        time, _, identifier = base64.urlsafe_b64decode(cursor).decode("ascii").partition(" ")
        return datetime.fromisoformat(time), UUID(identifier)
    except (binascii.Error, ValueError) as error:
        message = "The cursor is not one that a list gave."
        raise InvalidError(
            message, errors=[FieldError(location="query/cursor", code="invalid", message=message)]
        ) from error
