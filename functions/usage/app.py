"""Usage: show usage, statistics, limits and events, and take reports and reservations of usage."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.documents.events import EventsQuery, events_answer
from tenancy.gateway.documents.metering import (
    CommitBody,
    ReservationBody,
    UsageBody,
    allowance_document,
    reserved_document,
)
from tenancy.gateway.documents.own_organization import own_organization_document
from tenancy.gateway.documents.traced_events import TraceBody, trace_document
from tenancy.gateway.documents.usage import (
    MAX_DAYS,
    GroupBy,
    days_of,
    parse_period,
    statistics_document,
    usage_document,
)
from tenancy.gateway.idempotency import IdempotencyKey
from tenancy.gateway.parameters import AppId, Day, Id, WholeNumber
from tenancy.gateway.recorded_reads import recorded
from tenancy.gateway.resolver import api, tenant_of
from tenancy.gateway.rights import for_operators, for_tenants
from tenancy.rules.permissions import EVENTS_READ, STATS_READ, USAGE_READ, USAGE_WRITE
from tenancy.rules.quotas import parse_metric
from tenancy.rules.statistics import MAX_GROUPS, StatisticsOrder, StatisticsQuery, parse_dimensions
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
from tenancy.use_cases.usage.read_statistics import read_statistics
from tenancy.use_cases.usage.read_usage import read_organization_usage, read_tenant_usage
from tenancy.wiring import Wiring

settings = Settings.from_env("AUDIT_QUEUE_URL", "BASE_DOMAIN", "REDIS_PATIENCE_MS", "UPGRADE_URL")
wiring = Wiring(settings)
db = wiring.database
clickhouse = wiring.clickhouse_reader()
app = api()


@app.get("/usage")
@for_tenants(USAGE_READ)
def show_own_usage(
    from_: Annotated[Day | None, Query(alias="from")] = None,
    to: Annotated[Day | None, Query()] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_DAYS)] = MAX_DAYS,
) -> dict[str, Any]:
    """Show the caller's usage of this month against its quotas, and per day."""
    tenant = tenant_of(app)
    now = datetime.now(UTC)
    period = parse_period(from_, to, today=now.date())
    days_of(tenant.organization_id, period).find_position(cursor)  # refuses it before the stores are read
    return usage_document(read_tenant_usage(db, clickhouse, tenant, period, now=now), cursor=cursor, limit=limit)


@app.get("/organizations/current")
@for_tenants(USAGE_READ)
def show_own_organization() -> dict[str, Any]:
    """Show the caller's organization with its entitlements."""
    return own_organization_document(read_own_organization(db, tenant_of(app)))


@app.get("/organizations/<organization_id>/usage")
@for_operators
def show_usage(
    organization_id: Id,
    from_: Annotated[Day | None, Query(alias="from")] = None,
    to: Annotated[Day | None, Query()] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_DAYS)] = MAX_DAYS,
) -> dict[str, Any]:
    """Show the usage of one organization for the operator."""
    now = datetime.now(UTC)

    def period() -> Period:
        period = parse_period(from_, to, today=now.date())
        days_of(organization_id, period).find_position(cursor)
        return period

    report = read_organization_usage(db, clickhouse, organization_id, period, now=now)
    return usage_document(report, cursor=cursor, limit=limit)


@app.get("/stats")
@for_tenants(STATS_READ)
def show_statistics(
    from_: Annotated[Day | None, Query(alias="from")] = None,
    to: Annotated[Day | None, Query()] = None,
    group_by: Annotated[GroupBy, Query()] = "day",
    app_id: Annotated[AppId | None, Query()] = None,
    order_by: Annotated[StatisticsOrder, Query()] = StatisticsOrder.KEY,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_GROUPS)] = MAX_GROUPS,
) -> dict[str, Any]:
    """Show events, revenue and devices by event time, in groups."""
    tenant = tenant_of(app)
    now = datetime.now(UTC)
    period = parse_period(from_, to, today=now.date())
    dimensions = parse_dimensions(group_by) or []
    query = StatisticsQuery(period=period, group_by=dimensions, order=order_by, app_id=app_id)
    page = read_statistics(db, clickhouse, tenant, query, now=now, cursor=cursor, limit=limit)
    return statistics_document(page, query.group_by)


@app.get("/events")
@recorded
@for_tenants(EVENTS_READ)
def list_events(query: Annotated[EventsQuery, Query()]) -> Response[str]:
    """List the stored events of the caller's organization."""
    tenant = tenant_of(app)
    now = datetime.now(UTC)
    page = read_events(db, clickhouse, tenant, query.events(), now=now, cursor=query.cursor, limit=query.limit)
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, events_answer(page))


@app.post("/events/trace")
@recorded
@for_tenants(EVENTS_READ)
def trace(body: TraceBody) -> dict[str, Any]:
    """Say for each id whether the event is stored, held or unknown."""
    asked = [each.traced_id() for each in body.ids]
    return trace_document(trace_events(db, clickhouse, tenant_of(app), asked, now=datetime.now(UTC)))


@app.post("/usage/<metric>")
@for_tenants(USAGE_WRITE)
def report(metric: str, body: UsageBody, idempotency_key: IdempotencyKey = None) -> dict[str, Any]:
    """Record usage that the client reports: predictions, or bytes that are stored elsewhere."""
    tenant, known = tenant_of(app), parse_metric(metric)
    amount = body.amount_of(known)
    allowance = record_usage(db, tenant, known, amount, idempotency_key=idempotency_key, now=datetime.now(UTC))
    return allowance_document(allowance)


@app.post("/usage/<metric>/reservations")
@for_tenants(USAGE_WRITE)
def reserve(metric: str, body: ReservationBody) -> tuple[dict[str, Any], int]:
    """Reserve an amount of a quota."""
    tenant, known = tenant_of(app), parse_metric(metric)
    valid_for = timedelta(seconds=body.ttl_seconds)
    reserved = reserve_usage(db, tenant, known, body.amount, valid_for=valid_for, now=datetime.now(UTC))
    return reserved_document(reserved), HTTPStatus.CREATED


@app.post("/usage/<metric>/reservations/<reservation_id>/commit")
@for_tenants(USAGE_WRITE)
def commit(metric: str, reservation_id: Id, body: CommitBody | None = None) -> dict[str, Any]:
    """Record the usage of a reserved amount, or of less."""
    tenant, known = tenant_of(app), parse_metric(metric)
    amount = body.amount if body else None
    return allowance_document(commit_reservation(db, tenant, known, reservation_id, amount, now=datetime.now(UTC)))


@app.delete("/usage/<metric>/reservations/<reservation_id>")
@for_tenants(USAGE_WRITE)
def release(metric: str, reservation_id: Id) -> Response[str]:
    """Release a reserved amount."""
    tenant, known = tenant_of(app), parse_metric(metric)
    release_reservation(db, tenant, known, reservation_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


handler = wiring.handler(app, db)
