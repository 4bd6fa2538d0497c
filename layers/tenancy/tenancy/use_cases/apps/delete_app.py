"""Delete an app, and revoke its keys."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import ForbiddenError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.permissions import KEYS_WRITE
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.api_keys import revoke_api_keys_of_app
from tenancy.stores.postgres.apps import remove_app
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.keys.publish_keys import enqueue_ended_keys, publish_keys
from tenancy.use_cases.keys.revoke_key import KEY_REVOKED
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.outbox.run_entries import OutboxTargets

APP_DELETED: Final = "app.deleted"


def delete_app(
    platform_db: Homes, targets: OutboxTargets, tenant: Tenant, app_id: UUID, actor: Actor, *, now: datetime
) -> bool:
    """Delete an app and revoke its live keys. Return whether all of them were published.

    Each key is refused at its next request. Events of the app stay, and show its id. If the process dies after its
    commit, the sweep publishes the keys.

    Raises:
        NotFoundError: the organization has no such app, or it was deleted.
        ForbiddenError: the app has a live key, and *tenant* may not revoke keys.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The change may be committed.
    """
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        if not remove_app(conn, organization_id, app_id):
            raise NotFoundError("There is no such app.")
        key_ids = revoke_api_keys_of_app(conn, organization_id, app_id, now=now)
        if key_ids and KEYS_WRITE not in tenant.scopes:
            raise ForbiddenError(
                f"The app has live keys, and the credential lacks {KEYS_WRITE}. Revoke the keys of the app first."
            )
        insert_audit_record(conn, organization_id, AuditRecord.done(APP_DELETED, str(app_id), actor, now=now))
        for key_id in key_ids:
            insert_audit_record(conn, organization_id, AuditRecord.done(KEY_REVOKED, str(key_id), actor, now=now))
        publications = enqueue_ended_keys(conn, organization_id, key_ids, ends_at=now, now=now)
    return publish_keys(platform_db, targets, publications, now=now)
