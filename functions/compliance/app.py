"""The compliance report of the platform, for the operator."""

import time
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.answers import answers
from tenancy.gateway.documents.compliance import (
    HTML,
    REPORT_HEADERS,
    ReportQuery,
    report_answer,
)
from tenancy.gateway.documents.compliance_answers import PlatformReportAnswer
from tenancy.gateway.documents.platform_compliance import platform_report_document
from tenancy.gateway.resolver import api
from tenancy.gateway.rights import for_operators
from tenancy.rules.durations import DEPLOYED_SETTINGS_READ_SECONDS
from tenancy.settings import Settings
from tenancy.use_cases.compliance.report_platform import report_platform
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_DEAD_LETTERS_URL",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "DEAD_LETTERS_BUCKET",
    "DEAD_LETTERS_URL",
    "EVENTS_QUEUE_URL",
    "EXPORTS_BUCKET",
    "REDIS_PATIENCE_MS",
    "REGISTER_BUCKET",
    "REJECTED_CALLS_URL",
    "SEALING_KEY_ID",
    "SSO_KEY_ID",
    "UPGRADE_URL",
)
wiring = Wiring(settings)
platform_db, deployment = wiring.platform_database, wiring.deployment
app = api()


@app.get("/compliance/report")
@for_operators
@answers(PlatformReportAnswer, media_types=(HTML,), headers=REPORT_HEADERS)
def report(query: Annotated[ReportQuery, Query()]) -> Response[str]:
    """Return the compliance report of the platform for the operator, as JSON or as a page."""
    started_at, now = time.monotonic(), datetime.now(UTC)
    found = report_platform(
        platform_db,
        deployment,
        query.period(now.date()),
        now=now,
        has_time=lambda: time.monotonic() < started_at + DEPLOYED_SETTINGS_READ_SECONDS,
    )
    return report_answer("Compliance report of the platform", platform_report_document(found), query)


handler = wiring.handler(app, platform_db)
