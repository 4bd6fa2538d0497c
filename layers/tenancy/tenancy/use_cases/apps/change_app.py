"""Change the name or the platform of an app."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.apps import App
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.apps import update_app
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.organizations.require_changeable import require_changeable

APP_CHANGED: Final = "app.changed"


def change_app(
    platform_db: Homes,
    tenant: Tenant,
    app_id: UUID,
    actor: Actor,
    *,
    name: str | None,
    platform: str | None,
    now: datetime,
) -> App:
    """Change the name and the platform of an app, and return it.

    A value that is None does not change. The audit record leaves out the name: it may be personal data.

    Raises:
        NotFoundError: the organization has no such app, or it was deleted.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The change may be committed. A retry is safe.
    """
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        app = update_app(conn, organization_id, app_id, name=name, platform=platform)
        if app is None:
            raise NotFoundError("There is no such app.")
        insert_audit_record(conn, organization_id, AuditRecord.done(APP_CHANGED, str(app_id), actor, now=now))
    return app
