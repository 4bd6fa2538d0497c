"""Change the days after which an organization's keys are to be rotated."""

from datetime import datetime
from typing import Final

from tenancy.errors import NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.organization import OwnOrganization
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import (
    find_organization_of_tenant,
    lock_key_rotation,
    update_key_rotation,
)
from tenancy.use_cases.organizations.require_changeable import require_changeable

KEY_ROTATION_CHANGED: Final = "organization.key_rotation_changed"


def change_key_rotation(
    platform_db: Homes, tenant: Tenant, days: int | None, actor: Actor, *, now: datetime
) -> OwnOrganization:
    """Set the days after which a key is to be rotated, and return the organization.

    None is never.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The change may be committed. A retry is safe.
    """
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        before = lock_key_rotation(conn, organization_id)
        require_changeable(conn, organization_id)
        if before != days:
            update_key_rotation(conn, organization_id, days=days)
            target = f"{_text_of(before)} to {_text_of(days)}"
            insert_audit_record(conn, organization_id, AuditRecord.done(KEY_ROTATION_CHANGED, target, actor, now=now))
        own = find_organization_of_tenant(conn, organization_id)
        if own is None:
            raise NotFoundError("There is no such organization.")
        return own


def _text_of(days: int | None) -> str:
    return "never" if days is None else f"{days} days"
