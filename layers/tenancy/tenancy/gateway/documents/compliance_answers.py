"""The types of compliance reports, as docs/openapi.json shows them."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from tenancy.gateway.answer_types import Date, Time, Uuid
from tenancy.rules.audit_record import AuditOutcome
from tenancy.rules.compliance import MAX_POLICIES, MAX_SETTINGS, MAX_SHOWN, MAX_TABLES, SettingState
from tenancy.rules.erasures import ErasureStatus, SubjectKind
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.tenant import CallerKind
from tenancy.rules.tiers import Tier


class LimitsAnswer(TypedDict):
    """The bounds of the report: rows of a list, and entries of audit logs that were read."""

    shown_rows: int
    read_entries: int


class RowPolicyAnswer(TypedDict):
    """A policy of row-level security."""

    name: str
    command: Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]
    is_permissive: bool
    roles: Annotated[list[str], Field(max_length=MAX_POLICIES)]


class TableSecurityAnswer(TypedDict):
    """The row-level security of a table."""

    table: str
    is_enabled: bool
    is_forced: bool
    policies: Annotated[list[RowPolicyAnswer], Field(max_length=MAX_POLICIES)]


class RowSecurityAnswer(TypedDict):
    """The row-level security of all tables of tenants. *unprotected* tables lack it, or it does not bind all roles."""

    protected: int
    unprotected: Annotated[list[str], Field(max_length=MAX_TABLES)]
    tables: Annotated[list[TableSecurityAnswer], Field(max_length=MAX_TABLES)]


class SettingAnswer(TypedDict):
    """A setting of the deployment as the function reads it."""

    subject: str
    aspect: str
    state: SettingState
    detail: str


class TierRetentionAnswer(TypedDict):
    """The retention of a tier."""

    tier: Tier
    data_retention_days: int
    audit_retention_days: int


class FixedRetentionAnswer(TypedDict):
    """The retention of data that no tier changes."""

    data: str
    days: int


class AccessEntryAnswer(TypedDict):
    """An entry of an audit log. Only for mismatches, *target* has the places that named another organization."""

    id: Uuid
    organization_id: Uuid
    occurred_at: Time
    actor_kind: CallerKind
    actor_id: Uuid
    action: str
    outcome: AuditOutcome
    target: str
    count: int


class AccessListAnswer(TypedDict):
    """The number of entries, and the newest of them."""

    count: int
    shown: Annotated[list[AccessEntryAnswer], Field(max_length=MAX_SHOWN)]


class AccessAnswer(TypedDict):
    """Accesses in the audit logs of the period. If they are not complete, older entries were not read."""

    read_entries: int
    is_complete: bool
    operators: AccessListAnswer
    exports: AccessListAnswer
    audit_reads: AccessListAnswer


class KeyAgeAnswer(TypedDict):
    """The age of a live key."""

    id: Uuid
    type: Literal["secret", "write", "platform"]
    created_at: Time
    age_days: int
    expires_at: Time | None
    rotate_by: Time | None
    is_overdue: bool


class ErasureCountsAnswer(TypedDict):
    """The numbers of erasures of data subjects, by state. *overdue* ones are pending after their deadline."""

    pending: int
    erased: int
    confirmed: int
    overdue: int


class RetentionAnswer(TypedDict):
    """The retention of each tier, of data that no tier changes, and of objects in buckets."""

    tiers: Annotated[list[TierRetentionAnswer], Field(max_length=len(Tier))]
    fixed: Annotated[list[FixedRetentionAnswer], Field(max_length=MAX_SETTINGS)]
    buckets: Annotated[list[SettingAnswer], Field(max_length=MAX_SETTINGS)]


class OwnRetentionAnswer(RetentionAnswer):
    """The retention of an organization, with its overrides, beside that of each tier."""

    tier: Tier
    data_retention_days: int
    audit_retention_days: int


class PlatformRetentionAnswer(RetentionAnswer):
    """The last month for which the platform has applied retention, beside the retention of each tier."""

    last_applied_month: Date | None


class OwnDeletionAnswer(TypedDict):
    """The deletion of an organization. *due_at* is the deadline of its next step."""

    status: OrganizationStatus
    deleted_at: Time | None
    purge_at: Time | None
    erased_at: Time | None
    due_at: Time | None
    is_overdue: bool


class ListedDeletionAnswer(OwnDeletionAnswer):
    """A deletion of the platform's list, with its certificates so far."""

    organization_id: Uuid
    certificates: int
    last_certified_at: Time | None


class DeletionListAnswer(TypedDict):
    """Deletions that are not finished, and those that ended in the period."""

    count: int
    overdue: int
    shown: Annotated[list[ListedDeletionAnswer], Field(max_length=MAX_SHOWN)]


class SubjectErasureAnswer(TypedDict):
    """An erasure of a data subject. *due_at* is the deadline for its stored rows."""

    id: Uuid
    subject_kind: SubjectKind
    status: ErasureStatus
    requested_at: Time
    due_at: Time
    erased_at: Time | None
    confirmed_at: Time | None
    is_overdue: bool


class SubjectErasuresAnswer(ErasureCountsAnswer):
    """The erasures of an organization's data subjects, newest first."""

    shown: Annotated[list[SubjectErasureAnswer], Field(max_length=MAX_SHOWN)]


class KeyAgesAnswer(TypedDict):
    """The live keys, oldest first."""

    count: int
    shown: Annotated[list[KeyAgeAnswer], Field(max_length=MAX_SHOWN)]


class OwnKeyAgesAnswer(KeyAgesAnswer):
    """The live keys of an organization, with its rotation policy."""

    rotation_days: int | None
    overdue: int


class OverdueKeysAnswer(TypedDict):
    """The keys of one organization that should have been rotated."""

    organization_id: Uuid
    keys: int
    oldest_created_at: Time


class OverdueKeyListAnswer(TypedDict):
    """The organizations with keys that should have been rotated, oldest key first."""

    count: int
    shown: Annotated[list[OverdueKeysAnswer], Field(max_length=MAX_SHOWN)]


class PlatformKeyAgesAnswer(TypedDict):
    """The keys of the platform, and the overdue ones of organizations."""

    platform: KeyAgesAnswer
    organizations: OverdueKeyListAnswer


class MismatchesAnswer(TypedDict):
    """Requests that named another organization than that of their credential."""

    is_complete: bool
    count: int
    shown: Annotated[list[AccessEntryAnswer], Field(max_length=MAX_SHOWN)]


class DriftAnswer(TypedDict):
    """The drift of the period's roll-ups. Sums are in events, of the *measured* roll-ups."""

    roll_ups: int
    measured: int
    counter_events: int
    statistics_events: int


ReportHead = TypedDict("ReportHead", {"generated_at": Time, "from": Date, "to": Date, "limits": LimitsAnswer})


class ReportAnswer(ReportHead):
    """The sections that both reports have."""

    row_level_security: RowSecurityAnswer
    encryption: Annotated[list[SettingAnswer], Field(max_length=MAX_SETTINGS)]
    access: AccessAnswer
    mismatches: MismatchesAnswer
    backups: Annotated[list[SettingAnswer], Field(max_length=MAX_SETTINGS)]


class OrganizationReportAnswer(ReportAnswer):
    """The compliance report of an organization."""

    organization_id: Uuid
    retention: OwnRetentionAnswer
    deletion: OwnDeletionAnswer
    erasures: SubjectErasuresAnswer
    keys: OwnKeyAgesAnswer
    drift: SettingAnswer


class PlatformReportAnswer(ReportAnswer):
    """The compliance report of the platform."""

    retention: PlatformRetentionAnswer
    deletions: DeletionListAnswer
    erasures: ErasureCountsAnswer
    keys: PlatformKeyAgesAnswer
    drift: DriftAnswer
