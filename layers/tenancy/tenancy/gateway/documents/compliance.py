"""The query of compliance reports, their answer, and the document of one organization's."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from tenancy.gateway.documents.compliance_sections import (
    backups_document,
    deletion_document,
    erasure_counts_document,
    head_document,
    keys_document,
    log_document,
    retention_document,
    setting_document,
)
from tenancy.gateway.http import NO_STORE
from tenancy.gateway.late_checks import LateCheck, QueryMembers
from tenancy.gateway.parameters import Day
from tenancy.gateway.periods import parse_period
from tenancy.gateway.report_page import PAGE_HEADERS, format_page
from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.compliance import Setting, SubjectErasure
from tenancy.rules.usage import Period
from tenancy.use_cases.compliance.report_organization import OrganizationReport

HTML: Final = "text/html; charset=utf-8"
REPORT_HEADERS: Final[Mapping[str, bool]] = MappingProxyType(
    {"Cache-Control": True, **dict.fromkeys(PAGE_HEADERS, False)}  # JSON answers have no headers of the page
)
OWN_DRIFT: Final = Setting.not_known(
    "usage of this organization", "drift", "The platform records drift as a sum of all organizations."
)


class ReportQuery(QueryMembers):
    """The query of a compliance report. The period is in UTC days, by default the current month."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    format: Literal["json", "html"] = "json"

    def period(self, today: date) -> Period:
        """Return the requested period.

        Raises:
            InvalidError: the period is not valid.
        """
        return parse_period(self.from_, self.to, today=today)

    LATE_CHECKS: ClassVar = (LateCheck(("from", "to"), lambda query, now: query.period(now.date())),)


def report_answer(title: str, document: dict[str, Any], query: ReportQuery) -> Response[str]:
    """Return *document* in the requested format. No cache keeps it."""
    if query.format == "json":
        return Response(HTTPStatus.OK, "application/json", json.dumps(document), {"Cache-Control": NO_STORE})
    headers: dict[str, str | list[str]] = {**PAGE_HEADERS, "Cache-Control": NO_STORE}
    return Response(HTTPStatus.OK, HTML, format_page(title, document), headers)


def organization_report_document(report: OrganizationReport) -> dict[str, Any]:
    """Return the report of an organization."""
    now, quotas = report.facts.generated_at, report.entitlements.quotas
    erasures = [_erasure_document(each, now) for each in report.erasures.rows]
    return {
        "organization_id": str(report.organization_id),
        **head_document(report.facts),
        "retention": {
            "tier": report.entitlements.tier.value,
            "data_retention_days": quotas.data_retention_days,
            "audit_retention_days": quotas.audit_retention_days,
            **retention_document(report.facts.deployed.retention),
        },
        **log_document(report.facts),
        "deletion": deletion_document(report.deletion, now),
        "erasures": {**erasure_counts_document(report.erasure_counts), "shown": erasures},
        "keys": {
            "rotation_days": report.key_rotation_days,
            "overdue": report.overdue_keys,
            **keys_document(report.keys, now=now),
        },
        "drift": setting_document(OWN_DRIFT),
        "backups": backups_document(report.facts),
    }


def _erasure_document(erasure: SubjectErasure, now: datetime) -> dict[str, Any]:
    return {
        "id": str(erasure.id),
        "subject_kind": erasure.subject_kind,
        "status": erasure.status.value,
        "requested_at": format_time(erasure.requested_at),
        "due_at": format_time(erasure.due_at),
        "erased_at": format_optional_time(erasure.erased_at),
        "confirmed_at": format_optional_time(erasure.confirmed_at),
        "is_overdue": erasure.is_overdue(now),
    }
