"""What an organization has used, and its statistics."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.resolver import api, caller_of, handler_of
from tenancy.gateway.trail import Trail
from tenancy.gateway.usage import parse_period, statistics_document, usage_document
from tenancy.permissions import STATS_READ, USAGE_READ
from tenancy.settings import Settings
from tenancy.stores.audit_queue import AuditQueue
from tenancy.stores.aws import Aws
from tenancy.stores.clickhouse import Client, TenantReader, connect
from tenancy.stores.postgres import Database
from tenancy.stores.secrets import CLICKHOUSE_READER, DATABASE, Secrets
from tenancy.tenant import require_tenant
from tenancy.use_cases.read_statistics import read_statistics
from tenancy.use_cases.read_usage import read_usage

settings = Settings.from_env()
secrets = Secrets(Aws("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
db = Database(lambda: secrets.get_secret(DATABASE))
trail = Trail(AuditQueue(Aws("sqs", settings.region, settings.aws_endpoint_url), settings.audit_queue_url))
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
    now = datetime.now(UTC)
    period = parse_period(from_, to, today=now.date())
    report = read_usage(db, TenantReader(clickhouse(), tenant.organization_id), tenant, period, now=now)
    return usage_document(tenant, report)


@app.get("/stats")
def stats(
    from_: Annotated[date | None, Query(alias="from")] = None,
    to: Annotated[date | None, Query()] = None,
    group_by: Annotated[str, Query()] = "day",
) -> dict[str, Any]:
    """Events, revenue and devices by event time, in groups."""
    tenant = require_tenant(caller_of(app), STATS_READ)
    period = parse_period(from_, to, today=datetime.now(UTC).date())
    dimensions = [name for name in group_by.split(",") if name]
    reader = TenantReader(clickhouse(), tenant.organization_id)
    return statistics_document(read_statistics(db, reader, tenant, period, group_by=dimensions), dimensions)


handler = handler_of(app, base_domain=settings.base_domain, trail=trail)
