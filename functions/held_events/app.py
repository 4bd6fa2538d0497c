"""Held events of an organization, for the platform's operator: count them, release them."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from tenancy.gateway.admission_gate import AdmissionGate
from tenancy.gateway.resolver import api, caller_of, handler_of, request_of
from tenancy.gateway.trail import AuditTrail, actor_of
from tenancy.rules.tenant import require_operator
from tenancy.settings import Settings
from tenancy.stores.aws.audit_queue import AuditQueue
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import CLICKHOUSE, PLATFORM_DATABASE, REDIS, Secrets
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.held_events.release_held import count_held_by_reason, release_all

settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))
trail = AuditTrail(AuditQueue(AwsClient("sqs", settings.region, settings.aws_endpoint_url), settings.audit_queue_url))
redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=settings.redis_timeout_seconds)
gate = AdmissionGate(redis, lambda: platform_db)
app = api()


@cache
def clickhouse() -> Client:
    """Return the client; made at the first request, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE))


@app.get("/organizations/<organization_id>/held-events")
def count_all(organization_id: UUID) -> dict[str, Any]:
    """Count an organization's held events by reason."""
    require_operator(caller_of(app), organization_id)
    reasons = count_held_by_reason(platform_db, clickhouse(), organization_id, now=datetime.now(UTC))
    return {"count": sum(reasons.values()), "reasons": dict(reasons)}


@app.post("/organizations/<organization_id>/held-events/release")
def release(organization_id: UUID) -> dict[str, Any]:
    """Release whatever is held, whether there is room or not."""
    operator = require_operator(caller_of(app), organization_id)
    actor = actor_of(request_of(app), operator)
    return {"released": release_all(platform_db, clickhouse(), redis, organization_id, actor, now=datetime.now(UTC))}


handler = handler_of(app, base_domain=settings.base_domain, trail=trail, gate=gate)
