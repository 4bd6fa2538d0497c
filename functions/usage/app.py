"""What an organization has used, its statistics, and what it reports of its own use."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.admission_gate import AdmissionGate
from tenancy.gateway.documents.metering import (
    CommitBody,
    ReservationBody,
    UsageBody,
    allowance_document,
    reserved_document,
)
from tenancy.gateway.documents.usage import parse_period, statistics_document, usage_document
from tenancy.gateway.idempotency import IdempotencyKey
from tenancy.gateway.resolver import api, caller_of, handler_of
from tenancy.gateway.trail import AuditTrail
from tenancy.rules.permissions import STATS_READ, USAGE_READ, USAGE_WRITE
from tenancy.rules.tenant import require_operator, require_tenant
from tenancy.rules.tiers import Tier
from tenancy.settings import Settings
from tenancy.stores.aws.audit_queue import AuditQueue
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import CLICKHOUSE_READER, DATABASE, REDIS, Secrets
from tenancy.stores.clickhouse.client import Client, TenantReader, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.usage.meter import (
    commit_reservation,
    parse_metric,
    record_usage,
    release_reservation,
    reserve_usage,
)
from tenancy.use_cases.usage.read_statistics import read_statistics
from tenancy.use_cases.usage.read_usage import find_tier, read_usage

settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
db = Database(lambda: secrets.get_secret(DATABASE))
trail = AuditTrail(AuditQueue(AwsClient("sqs", settings.region, settings.aws_endpoint_url), settings.audit_queue_url))
redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=settings.redis_timeout_seconds)
gate = AdmissionGate(redis, lambda: db)
app = api()


@cache
def clickhouse() -> Client:
    """Return the client; made at the first request, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE_READER))


@app.get("/usage")
def usage(
    from_: Annotated[date | None, Query(alias="from")] = None, to: Annotated[date | None, Query()] = None
) -> dict[str, Any]:
    """Usage of the month against the tier's quotas, and per day."""
    tenant = require_tenant(caller_of(app), USAGE_READ)
    return usage_of(tenant.organization_id, tenant.tier, from_, to)


@app.get("/organizations/<organization_id>/usage")
def usage_of_one(
    organization_id: UUID,
    from_: Annotated[date | None, Query(alias="from")] = None,
    to: Annotated[date | None, Query()] = None,
) -> dict[str, Any]:
    """Usage of one organization, for the operator."""
    require_operator(caller_of(app), organization_id)
    return usage_of(organization_id, find_tier(db, organization_id), from_, to)


@app.get("/stats")
def stats(
    from_: Annotated[date | None, Query(alias="from")] = None,
    to: Annotated[date | None, Query()] = None,
    group_by: Annotated[str, Query()] = "day",
) -> dict[str, Any]:
    """Events, revenue and devices by event time, in groups."""
    tenant = require_tenant(caller_of(app), STATS_READ)
    now = datetime.now(UTC)
    period = parse_period(from_, to, today=now.date())
    dimensions = [name for name in group_by.split(",") if name]
    groups = read_statistics(db, clickhouse(), tenant, period, group_by=dimensions, now=now)
    return statistics_document(groups, dimensions)


@app.post("/usage/<metric>")
def report(metric: str, body: UsageBody, idempotency_key: IdempotencyKey = None) -> dict[str, Any]:
    """Report predictions, or bytes that are stored elsewhere."""
    tenant, known = require_tenant(caller_of(app), USAGE_WRITE), parse_metric(metric)
    amount = body.amount_of(known)
    allowance = record_usage(db, tenant, known, amount, idempotency_key=idempotency_key, now=datetime.now(UTC))
    return allowance_document(allowance)


@app.post("/usage/<metric>/reservations")
def reserve(metric: str, body: ReservationBody) -> tuple[dict[str, Any], int]:
    """Set room aside."""
    tenant, known = require_tenant(caller_of(app), USAGE_WRITE), parse_metric(metric)
    valid_for = timedelta(seconds=body.ttl_seconds)
    reserved = reserve_usage(db, tenant, known, body.amount, valid_for=valid_for, now=datetime.now(UTC))
    return reserved_document(reserved), HTTPStatus.CREATED


@app.post("/usage/<metric>/reservations/<reservation_id>/commit")
def commit(metric: str, reservation_id: UUID, body: CommitBody | None = None) -> dict[str, Any]:
    """Use what was set aside, or less of it."""
    tenant, known = require_tenant(caller_of(app), USAGE_WRITE), parse_metric(metric)
    amount = body.amount if body else None
    return allowance_document(commit_reservation(db, tenant, known, reservation_id, amount, now=datetime.now(UTC)))


@app.delete("/usage/<metric>/reservations/<reservation_id>")
def release(metric: str, reservation_id: UUID) -> Response[str]:
    """Give back what was set aside."""
    tenant, known = require_tenant(caller_of(app), USAGE_WRITE), parse_metric(metric)
    release_reservation(db, tenant, known, reservation_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


def usage_of(organization_id: UUID, tier: Tier, start: date | None, end: date | None) -> dict[str, Any]:
    """Return the usage of an organization in the period that a query names."""
    now = datetime.now(UTC)
    period = parse_period(start, end, today=now.date())
    reader = TenantReader(clickhouse(), organization_id)
    return usage_document(read_usage(db, reader, organization_id, tier, period, now=now))


handler = handler_of(app, base_domain=settings.base_domain, trail=trail, gate=gate)
