"""The document of the platform's compliance report."""

from datetime import datetime
from typing import Any

from tenancy.gateway.documents.compliance_sections import (
    backups_document,
    deletion_document,
    erasure_counts_document,
    head_document,
    keys_document,
    log_document,
    retention_document,
)
from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.compliance import DeletionState, Drift, OverdueKeys
from tenancy.use_cases.compliance.report_platform import PlatformReport


def platform_report_document(report: PlatformReport) -> dict[str, Any]:
    """Return the report of the platform."""
    now, month = report.facts.generated_at, report.last_clean_up
    head = head_document(report.facts)
    return {
        **head,
        "row_level_security": {
            **head["row_level_security"],
            "unbound_roles": list(report.facts.row_security.unbound_roles),
        },
        "retention": {
            "last_applied_month": None if month is None else month.isoformat(),
            **retention_document(report.facts.deployed.retention),
        },
        **log_document(report.facts),
        "deletions": {
            "count": report.deletions.count,
            "overdue": report.overdue_deletions,
            "shown": [_listed_document(each, now) for each in report.deletions.rows],
        },
        "erasures": erasure_counts_document(report.erasure_counts),
        "keys": {
            "platform": keys_document(report.platform_keys, now=now),
            "organizations": {
                "count": report.overdue_keys.count,
                "shown": [_overdue_document(each) for each in report.overdue_keys.rows],
            },
        },
        "drift": _drift_document(report.drift),
        "backups": backups_document(report.facts),
    }


def _listed_document(deletion: DeletionState, now: datetime) -> dict[str, Any]:
    return {
        "organization_id": str(deletion.organization_id),
        **deletion_document(deletion, now),
        "certificates": deletion.certificates,
        "last_certified_at": format_optional_time(deletion.last_certified_at),
    }


def _overdue_document(keys: OverdueKeys) -> dict[str, Any]:
    return {
        "organization_id": str(keys.organization_id),
        "keys": keys.keys,
        "oldest_created_at": format_time(keys.oldest_created_at),
    }


def _drift_document(drift: Drift) -> dict[str, Any]:
    return {
        "roll_ups": drift.roll_ups,
        "measured": drift.measured,
        "counter_events": drift.counter_events,
        "statistics_events": drift.statistics_events,
    }
