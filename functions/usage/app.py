"""Show usage, statistics, limits and events. Take reports and reservations of usage."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import ConflictError, ErasedError, IdempotencyKeyReusedError
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.events import EventAnswer, EventsMembers, events_answer
from tenancy.gateway.documents.metering import (
    AllowanceAnswer,
    CommitBody,
    ReservationAnswer,
    ReservationBody,
    UsageBody,
    allowance_document,
    reserved_document,
)
from tenancy.gateway.documents.own_organization import OwnOrganizationAnswer, own_organization_document
from tenancy.gateway.documents.statistics import StatisticsMembers, StatisticsPageAnswer, statistics_document
from tenancy.gateway.documents.traced_events import TraceAnswer, TraceBody, trace_document
from tenancy.gateway.documents.usage import UsageAnswer, UsageMembers, days_of, usage_document
from tenancy.gateway.idempotency import IdempotencyKey
from tenancy.gateway.nearest_reads import nearest
from tenancy.gateway.parameters import Id, MetricName
from tenancy.gateway.recorded_reads import recorded
from tenancy.gateway.resolver import api, tenant_of
from tenancy.gateway.rights import for_operators, for_tenants
from tenancy.rules.permissions import EVENTS_READ, STATS_READ, USAGE_READ, USAGE_WRITE
from tenancy.rules.quotas import parse_metric
from tenancy.rules.usage import Period
from tenancy.settings import Settings
from tenancy.use_cases.events.read_events import read_events
from tenancy.use_cases.events.trace_events import trace_events
from tenancy.use_cases.organizations.read_own_organization import read_own_organization
from tenancy.use_cases.usage.meter import (
    commit_reservation,
    record_usage,
    release_reservation,
    reserve_usage,
)
from tenancy.use_cases.usage.read_statistics import read_organization_statistics, read_statistics
from tenancy.use_cases.usage.read_usage import read_organization_usage, read_tenant_usage
from tenancy.wiring import Wiring

settings = Settings.from_env("API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "REDIS_PATIENCE_MS", "UPGRADE_URL")
wiring = Wiring(settings)
db, reads = wiring.database, wiring.nearest_reads
clickhouse = wiring.clickhouse_reader()
app = api()


@app.get("/usage")
@for_tenants(USAGE_READ)
@answers(UsageAnswer)
@nearest
def show_own_usage(asked: Annotated[UsageMembers, Query()]) -> dict[str, Any]:
    """Show the caller's usage of this month against its quotas, and per day."""
    tenant = tenant_of(app)
    now = datetime.now(UTC)
    period = asked.period_at(now)
    days_of(tenant.organization_id, period).find_position(asked.cursor)  # refuses a wrong cursor first
    report = reads.read(app, lambda near: read_tenant_usage(near, clickhouse, tenant, period, now=now))
    return usage_document(report, cursor=asked.cursor, limit=asked.limit)


@app.get("/organizations/current")
@for_tenants(USAGE_READ)
@answers(OwnOrganizationAnswer)
@nearest
def show_own_organization() -> dict[str, Any]:
    """Show the caller's organization with its entitlements."""
    own = reads.read(app, lambda near: read_own_organization(near, tenant_of(app)))
    return own_organization_document(own, upgrade_url=settings.upgrade_url)


@app.get("/organizations/<organization_id>/usage")
@for_operators
@answers(UsageAnswer, ErasedError)
@nearest
def show_usage(organization_id: Id, asked: Annotated[UsageMembers, Query()]) -> dict[str, Any]:
    """Show the usage of one organization for the operator."""
    now = datetime.now(UTC)

    def period() -> Period:
        period = asked.period_at(now)
        days_of(organization_id, period).find_position(asked.cursor)
        return period

    report = reads.read(app, lambda near: read_organization_usage(near, clickhouse, organization_id, period, now=now))
    return usage_document(report, cursor=asked.cursor, limit=asked.limit)


@app.get("/stats")
@for_tenants(STATS_READ)
@answers(StatisticsPageAnswer)
@nearest
def show_own_statistics(asked: Annotated[StatisticsMembers, Query()]) -> dict[str, Any]:
    """Show the caller's events, revenue and devices by event time, in groups."""
    now = datetime.now(UTC)
    tenant, query = tenant_of(app), asked.at(now)
    page = reads.read(
        app,
        lambda near: read_statistics(near, clickhouse, tenant, query, now=now, cursor=asked.cursor, limit=asked.limit),
    )
    return statistics_document(page, query)


@app.get("/organizations/<organization_id>/stats")
@for_operators
@answers(StatisticsPageAnswer, ErasedError)
@nearest
def show_statistics(organization_id: Id, asked: Annotated[StatisticsMembers, Query()]) -> dict[str, Any]:
    """Show the statistics of one organization for the operator."""
    now = datetime.now(UTC)
    query, page = reads.read(
        app,
        lambda near: read_organization_statistics(
            near, clickhouse, organization_id, lambda: asked.at(now), now=now, cursor=asked.cursor, limit=asked.limit
        ),
    )
    return statistics_document(page, query)


@app.get("/events")
@for_tenants(EVENTS_READ)
@answers(PageAnswer[EventAnswer])
@nearest
@recorded
def list_events(asked: Annotated[EventsMembers, Query()]) -> Response[str]:
    """List the stored events of the caller's organization."""
    tenant = tenant_of(app)
    now = datetime.now(UTC)
    page = reads.read(
        app,
        lambda near: read_events(
            near, clickhouse, tenant, asked.events(), now=now, cursor=asked.cursor, limit=asked.limit
        ),
    )
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, events_answer(page))


@app.post("/events/trace")
@for_tenants(EVENTS_READ)
@answers(TraceAnswer)
@recorded
def trace(body: TraceBody) -> dict[str, Any]:
    """Say for each id whether the event is stored, held or unknown."""
    asked = [each.traced_id() for each in body.ids]
    return trace_document(trace_events(db, clickhouse, tenant_of(app), asked, now=datetime.now(UTC)))


@app.post("/usage/<metric>")
@for_tenants(USAGE_WRITE)
@answers(AllowanceAnswer, IdempotencyKeyReusedError)
def report(metric: MetricName, body: UsageBody, idempotency_key: IdempotencyKey = None) -> dict[str, Any]:
    """Record usage that the client reports: predictions, or bytes that are stored elsewhere."""
    tenant, known = tenant_of(app), parse_metric(metric)
    amount = body.amount_of(known)
    allowance = record_usage(db, tenant, known, amount, idempotency_key=idempotency_key, now=datetime.now(UTC))
    return allowance_document(allowance)


@app.post("/usage/<metric>/reservations")
@for_tenants(USAGE_WRITE)
@answers(ReservationAnswer, status=HTTPStatus.CREATED)
def reserve(metric: MetricName, body: ReservationBody) -> tuple[dict[str, Any], int]:
    """Reserve an amount of a quota."""
    tenant, known = tenant_of(app), parse_metric(metric)
    valid_for = timedelta(seconds=body.ttl_seconds)
    reserved = reserve_usage(db, tenant, known, body.amount, valid_for=valid_for, now=datetime.now(UTC))
    return reserved_document(reserved), HTTPStatus.CREATED


@app.post("/usage/<metric>/reservations/<reservation_id>/commit")
@for_tenants(USAGE_WRITE)
@answers(AllowanceAnswer, ConflictError)
def commit(metric: MetricName, reservation_id: Id, body: CommitBody | None = None) -> dict[str, Any]:
    """Record the usage of a reserved amount, or of less."""
    tenant, known = tenant_of(app), parse_metric(metric)
    amount = body.amount if body else None
    return allowance_document(commit_reservation(db, tenant, known, reservation_id, amount, now=datetime.now(UTC)))


@app.delete("/usage/<metric>/reservations/<reservation_id>")
@for_tenants(USAGE_WRITE)
@answers(None, ConflictError, status=HTTPStatus.NO_CONTENT)
def release(metric: MetricName, reservation_id: Id) -> Response[str]:
    """Release a reserved amount."""
    tenant, known = tenant_of(app), parse_metric(metric)
    release_reservation(db, tenant, known, reservation_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


handler = wiring.handler(app, db, reads)
