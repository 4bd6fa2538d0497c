"""Create an app within the organization's limit."""

from datetime import datetime
from typing import Final
from uuid import uuid4

from tenancy.rules.apps import App
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.quotas import Metric
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.apps import insert_app
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.idempotency.answer_once import RepeatableRequest, answer_once
from tenancy.use_cases.organizations.claim_seat import claim_seat
from tenancy.use_cases.organizations.require_changeable import require_changeable

APP_CREATED: Final = "app.created"
CREATE_APP: Final = "create app"


def create_app(
    platform_db: Homes,
    encryptor: Encryptor,
    tenant: Tenant,
    actor: Actor,
    *,
    name: str,
    platform: str,
    idempotency_key: str | None,
    now: datetime,
) -> App:
    """Create an app, and return it.

    Raises:
        QuotaExceededError: the organization has as many apps as its entitlements include.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        IdempotencyKeyReusedError, RequestInProgressError, UnavailableError: as for `answer_once`.
    """
    organization_id = tenant.organization_id

    def prepare() -> App:
        return App(id=uuid4(), name=name, platform=platform, created_at=now)

    def commit(conn: Connection, app: App) -> None:
        claim_seat(conn, organization_id, Metric.APPS, now=now)
        require_changeable(conn, organization_id)
        insert_app(conn, organization_id, app.id, name=app.name, platform=app.platform, created_at=app.created_at)
        insert_audit_record(conn, organization_id, AuditRecord.done(APP_CREATED, str(app.id), actor, now=now))

    request = RepeatableRequest.of(organization_id, actor.id, idempotency_key, CREATE_APP, [name, platform])
    return answer_once(platform_db, encryptor, request, App, prepare, commit, now=now).answer
