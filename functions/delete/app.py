"""Deletion of organizations: delete one, restore it, show the certificate of its erasure."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from tenancy.errors import ErasedError, NotDeletedError
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.deletions import (
    CertificatesAnswer,
    DeletionAnswer,
    DeletionRequest,
    certificates_document,
    deletion_document,
)
from tenancy.gateway.documents.organizations import OrganizationAnswer, organization_document, report_unpublished
from tenancy.gateway.parameters import Id
from tenancy.gateway.resolver import api, caller_of, operator_of, request_of
from tenancy.gateway.rights import for_operators, for_operators_or_own
from tenancy.gateway.trail import actor_of
from tenancy.rules.permissions import ORGANIZATION_DELETE
from tenancy.settings import Settings
from tenancy.use_cases.deletion.delete import delete_organization, restore_organization
from tenancy.use_cases.deletion.read_certificate import read_certificate
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "DELETION_GRACE_SECONDS",
    "REDIS_PATIENCE_MS",
    "REGISTER_BUCKET",
    "SIGNING_KEY_ID",
    "STATE_MACHINE_ARN",
    "UPGRADE_URL",
)
wiring = Wiring(settings)
platform_db, signer = wiring.platform_database, wiring.signer
targets = OutboxTargets(redis=wiring.publication_redis, register=wiring.register, executions=wiring.executions)
app = api()


@app.delete("/organizations/<organization_id>")
@for_operators_or_own(ORGANIZATION_DELETE)
@answers(DeletionAnswer, ErasedError, status=HTTPStatus.ACCEPTED)
def delete(organization_id: Id, body: DeletionRequest) -> tuple[dict[str, Any], int]:
    """Mark an organization as deleted, for the operator or for its own super_admin.

    It is erased after the grace period.
    """
    caller = caller_of(app)
    actor = actor_of(request_of(app), caller)
    now, grace = datetime.now(UTC), settings.deletion_grace
    deleted = delete_organization(platform_db, targets, organization_id, body.reason, actor, grace=grace, now=now)
    return deletion_document(report_unpublished(deleted)), HTTPStatus.ACCEPTED


@app.post("/organizations/<organization_id>/restore")
@for_operators
@answers(OrganizationAnswer, NotDeletedError, ErasedError)
def restore(organization_id: Id) -> dict[str, Any]:
    """Restore a deleted organization for the operator."""
    operator = operator_of(app)
    actor = actor_of(request_of(app), operator)
    restored = restore_organization(platform_db, targets, organization_id, actor, now=datetime.now(UTC))
    return organization_document(report_unpublished(restored))


@app.get("/organizations/<organization_id>/deletion-certificate")
@for_operators
@answers(CertificatesAnswer)
def certificate(organization_id: Id) -> dict[str, Any]:
    """Show the signed certificate of an organization's erasure."""
    return certificates_document(read_certificate(platform_db, signer, organization_id))


handler = wiring.handler(app, platform_db)
