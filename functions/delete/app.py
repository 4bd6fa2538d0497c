"""The end of an organization: delete it, bring it back, show the certificate of its erasure."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from tenancy.gateway.admission_gate import AdmissionGate
from tenancy.gateway.documents.deletions import DeletionRequest, certificates_document, deletion_document
from tenancy.gateway.documents.organizations import organization_document, report_unpublished
from tenancy.gateway.resolver import api, caller_of, handler_of, request_of
from tenancy.gateway.trail import AuditTrail, actor_of
from tenancy.rules.durations import PUBLICATION_REDIS_TIMEOUT_SECONDS
from tenancy.rules.permissions import ORGANIZATION_DELETE
from tenancy.rules.tenant import require_operator, require_operator_or_own
from tenancy.settings import Settings
from tenancy.stores.aws.audit_queue import AuditQueue
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.executions import Executions
from tenancy.stores.aws.secrets import PLATFORM_DATABASE, REDIS, Secrets
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.delete import delete_organization, restore_organization
from tenancy.use_cases.deletion.read_certificate import read_certificate
from tenancy.use_cases.outbox.run_entries import OutboxTargets

settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=settings.redis_timeout_seconds)
publishing_redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=PUBLICATION_REDIS_TIMEOUT_SECONDS)
targets = OutboxTargets(redis=publishing_redis, executions=Executions(settings.region, settings.state_machine_arn))
signer = Signer(AwsClient("kms", settings.region, settings.aws_endpoint_url), settings.signing_key_id)
trail = AuditTrail(AuditQueue(AwsClient("sqs", settings.region, settings.aws_endpoint_url), settings.audit_queue_url))
gate = AdmissionGate(redis, lambda: platform_db)
app = api()


@app.delete("/organizations/<organization_id>")
def delete(organization_id: UUID, asked: DeletionRequest) -> tuple[dict[str, Any], int]:
    """Delete an organization, to be erased after the grace: for the operator, and for its own super_admin."""
    caller = require_operator_or_own(caller_of(app), organization_id, ORGANIZATION_DELETE)
    actor = actor_of(request_of(app), caller)
    now, grace = datetime.now(UTC), settings.deletion_grace
    deleted = delete_organization(platform_db, targets, organization_id, asked.reason, actor, grace=grace, now=now)
    return deletion_document(report_unpublished(deleted)), HTTPStatus.ACCEPTED


@app.post("/organizations/<organization_id>/restore")
def restore(organization_id: UUID) -> dict[str, Any]:
    """Bring a deleted organization back."""
    operator = require_operator(caller_of(app), organization_id)
    actor = actor_of(request_of(app), operator)
    restored = restore_organization(platform_db, targets, organization_id, actor, now=datetime.now(UTC))
    return organization_document(report_unpublished(restored))


@app.get("/organizations/<organization_id>/deletion-certificate")
def certificate(organization_id: UUID) -> dict[str, Any]:
    """Show what was erased, signed."""
    require_operator(caller_of(app), organization_id)
    return certificates_document(read_certificate(platform_db, signer, organization_id))


handler = handler_of(app, base_domain=settings.base_domain, trail=trail, gate=gate)
