"""Examples of compliance reports, made by the code that answers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tenancy.gateway.documents.compliance import HTML, organization_report_document
from tenancy.gateway.documents.platform_compliance import platform_report_document
from tenancy.gateway.report_page import format_page
from tenancy.rules.compliance import (
    OWN_TENANT,
    AccessEntry,
    AccessKind,
    DeletionState,
    Drift,
    ErasureCounts,
    KeyAge,
    Listed,
    LogExcerpt,
    OverdueKeys,
    RowPolicy,
    RowSecurity,
    Setting,
    SubjectErasure,
    TableSecurity,
)
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import Period
from tenancy.use_cases.compliance.deployment import HIDDEN_BACKUPS, HIDDEN_ENCRYPTION, DeployedFacts
from tenancy.use_cases.compliance.facts import ReportFacts
from tenancy.use_cases.compliance.report_organization import OrganizationReport
from tenancy.use_cases.compliance.report_platform import PlatformReport

NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORGANIZATION_ID: Final = UUID("0d5cba04-b25b-4dc4-a4fc-f23bd9d7f5fb")
OTHER_ID: Final = UUID("85d6ad4a-83d8-4085-8535-3ddddda605b4")
NOVEMBER: Final = Period(start=date(2026, 11, 1), end=date(2026, 12, 1))
CONNECTION: Final = Setting.of("PostgreSQL", "encrypted connection", "TLS. PostgreSQL's own end: TLSv1.3.")
ARCHIVE: Final = Setting.not_known("PostgreSQL", "archive of the write-ahead log", "archive_mode is off.")
OWN_ROWS: Final = f"(organization_id = {OWN_TENANT})"
TABLES: Final = (
    TableSecurity(
        table="api_keys",
        is_enabled=True,
        is_forced=True,
        policies=[
            RowPolicy(
                name="tenant_isolation",
                command="ALL",
                is_permissive=True,
                roles=["tenancy_functions"],
                using=OWN_ROWS,
                check=OWN_ROWS,
                is_for_tenants=True,
            ),
        ],
    ),
)
DEPLOYED: Final = DeployedFacts(
    read_at=NOON,
    encryption=[Setting.of("EventsQueue", "encryption at rest", "SSE-SQS"), *HIDDEN_ENCRYPTION],
    retention=[Setting.of("ExportsBucket", "expiry of objects", "Objects are deleted after 14 days.")],
    backups=[Setting.of("ExportsBucket", "versions of objects", None), *HIDDEN_BACKUPS],
)
COUNTS: Final = ErasureCounts(pending=1, erased=0, confirmed=0, overdue=0)


def find_report_examples(path: str) -> Mapping[str, Any]:
    """Return the examples of the report at *path* by media type."""
    is_platform = path == "/compliance/report"
    document = platform_report_document(make_platform()) if is_platform else organization_report_document(make_own())
    return {"application/json": document, HTML: format_page("Compliance report", {"generated_at": "2026-11-24"})}


def make_log() -> LogExcerpt:
    """Return a log with one read by an operator."""
    entry = AccessEntry(
        id=OTHER_ID,
        organization_id=ORGANIZATION_ID,
        occurred_at=NOON - timedelta(hours=1),
        actor_kind="operator",
        actor_id=OTHER_ID,
        action="GET /v1/organizations/{organization_id}/usage",
        outcome="done",
        target="",
        count=1,
    )
    nothing: Listed[AccessEntry] = Listed(count=0, rows=[])
    entries = {**dict.fromkeys(AccessKind, nothing), AccessKind.OPERATOR: Listed(count=1, rows=[entry])}
    return LogExcerpt(starts_at=NOON.replace(day=1, hour=0), entries_since=None, read=25, entries=entries)


def make_facts() -> ReportFacts:
    """Return the facts of both reports."""
    return ReportFacts(
        generated_at=NOON,
        period=NOVEMBER,
        row_security=RowSecurity(tables=TABLES, unbound_roles=["postgres"]),
        connection=CONNECTION,
        archive=ARCHIVE,
        deployed=DEPLOYED,
        log=make_log(),
    )


def make_deletion(status: OrganizationStatus) -> DeletionState:
    """Return the state of an organization that is deleted, or of one that is not."""
    is_deleted = status is OrganizationStatus.DELETED
    return DeletionState(
        organization_id=ORGANIZATION_ID,
        status=status,
        deleted_at=NOON - timedelta(days=2) if is_deleted else None,
        purge_at=NOON + timedelta(days=28) if is_deleted else None,
        erased_at=None,
        certificates=0,
        last_certified_at=None,
    )


def make_key(kind: str, days: int) -> KeyAge:
    """Return a key that is to be rotated after *days*."""
    created_at = NOON - timedelta(days=100)
    return KeyAge(id=OTHER_ID, kind=kind, created_at=created_at, expires_at=None, rotation_days=days)


def make_own() -> OrganizationReport:
    """Return the report of an organization with an overdue key and a pending erasure."""
    erasure = SubjectErasure(
        id=OTHER_ID,
        subject_kind="user_id",
        status=ErasureStatus.PENDING,
        requested_at=NOON - timedelta(minutes=1),
        erased_at=None,
        confirmed_at=None,
    )
    return OrganizationReport(
        organization_id=ORGANIZATION_ID,
        facts=make_facts(),
        entitlements=Entitlements(tier=Tier.GROWTH, overrides={}),
        deletion=make_deletion(OrganizationStatus.ACTIVE),
        erasure_counts=COUNTS,
        erasures=Listed(count=1, rows=[erasure]),
        key_rotation_days=90,
        keys=Listed(count=1, rows=[make_key("secret", 90)]),
        overdue_keys=1,
    )


def make_platform() -> PlatformReport:
    """Return a report of the platform with one deleted organization."""
    overdue = OverdueKeys(organization_id=ORGANIZATION_ID, keys=1, oldest_created_at=NOON - timedelta(days=100))
    return PlatformReport(
        facts=make_facts(),
        last_clean_up=date(2026, 11, 1),
        deletions=Listed(count=1, rows=[make_deletion(OrganizationStatus.DELETED)]),
        overdue_deletions=0,
        erasure_counts=COUNTS,
        platform_keys=Listed(count=1, rows=[make_key("platform", 90)]),
        overdue_keys=Listed(count=1, rows=[overdue]),
        drift=Drift(roll_ups=564, measured=564, counter_events=0, statistics_events=0),
    )
