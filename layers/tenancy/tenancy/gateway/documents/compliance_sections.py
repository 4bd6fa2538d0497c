"""The sections of compliance reports."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.compliance import (
    MAX_READ_ENTRIES,
    MAX_SHOWN,
    AccessEntry,
    AccessKind,
    DeletionState,
    ErasureCounts,
    KeyAge,
    Listed,
    LogExcerpt,
    RowPolicy,
    Setting,
    TableSecurity,
)
from tenancy.rules.durations import (
    DEAD_LETTER_RETENTION,
    DOWNGRADE_RETENTION,
    EXPORT_FILE_RETENTION,
    IDEMPOTENT_ANSWER_RETENTION,
    SESSION_MAX_LIFETIME,
    SUBDOMAIN_QUARANTINE,
    SUBJECT_DIGEST_RETENTION,
)
from tenancy.rules.entitlements import list_tiers
from tenancy.use_cases.compliance.facts import ReportFacts

# Data that code deletes after a time that no tier and no override changes.
FIXED_RETENTION: Final[Sequence[tuple[str, timedelta]]] = (
    ("answers that are stored for repeated requests", IDEMPOTENT_ANSWER_RETENTION),
    ("dead letters", DEAD_LETTER_RETENTION),
    ("digest of the subdomain of an erased organization", SUBDOMAIN_QUARANTINE),
    ("digests of erased data subjects", SUBJECT_DIGEST_RETENTION),
    ("events after a change to a shorter retention, at least", DOWNGRADE_RETENTION),
    ("files of exports", EXPORT_FILE_RETENTION),
    ("sessions of members, at most", SESSION_MAX_LIFETIME),
)


def head_document(facts: ReportFacts) -> dict[str, Any]:
    """Return the members that each report begins with."""
    return {
        "generated_at": format_time(facts.generated_at),
        "from": facts.period.start.isoformat(),
        "to": facts.period.end.isoformat(),
        "limits": {"shown_rows": MAX_SHOWN, "read_entries": MAX_READ_ENTRIES},
        "row_level_security": _row_security_document(facts.tables),
        "encryption": settings_document(facts.connection, *facts.deployed.encryption),
    }


def log_document(facts: ReportFacts) -> dict[str, Any]:
    """Return the sections of audit logs."""
    return {
        "access": _access_document(facts.log),
        "mismatches": {"is_complete": facts.log.is_complete, **_entries_document(facts.log, AccessKind.MISMATCH)},
    }


def backups_document(facts: ReportFacts) -> list[dict[str, Any]]:
    """Return the settings of backups."""
    return settings_document(facts.archive, *facts.deployed.backups)


def deletion_document(deletion: DeletionState, now: datetime) -> dict[str, Any]:
    """Return the state of a deletion, with its deadline."""
    return {
        "status": deletion.status.value,
        "deleted_at": format_optional_time(deletion.deleted_at),
        "purge_at": format_optional_time(deletion.purge_at),
        "erased_at": format_optional_time(deletion.erased_at),
        "due_at": format_optional_time(deletion.due_at),
        "is_overdue": deletion.is_overdue(now),
    }


def _row_security_document(tables: Sequence[TableSecurity]) -> dict[str, Any]:
    return {
        "protected": sum(each.is_protected for each in tables),
        "unprotected": [each.table for each in tables if not each.is_protected],
        "tables": [
            {
                "table": each.table,
                "is_enabled": each.is_enabled,
                "is_forced": each.is_forced,
                "policies": [_policy_document(policy) for policy in each.policies],
            }
            for each in tables
        ],
    }


def settings_document(*settings: Setting) -> list[dict[str, Any]]:
    """Return *settings* of the deployment."""
    return [setting_document(each) for each in settings]


def setting_document(setting: Setting) -> dict[str, Any]:
    """Return one setting of the deployment."""
    return {
        "subject": setting.subject,
        "aspect": setting.aspect,
        "state": setting.state.value,
        "detail": setting.detail,
    }


def retention_document(settings: Iterable[Setting]) -> dict[str, Any]:
    """Return the retention of each tier, that of other data, and the *settings* of buckets."""
    return {
        "tiers": [
            {
                "tier": sold.tier.value,
                "data_retention_days": sold.data_retention_days,
                "audit_retention_days": sold.audit_retention_days,
            }
            for sold in list_tiers()
        ],
        "fixed": [{"data": data, "days": retention.days} for data, retention in FIXED_RETENTION],
        "buckets": settings_document(*settings),
    }


def _access_document(log: LogExcerpt) -> dict[str, Any]:
    return {
        "read_entries": log.read,
        "is_complete": log.is_complete,
        "operators": _entries_document(log, AccessKind.OPERATOR),
        "exports": _entries_document(log, AccessKind.EXPORT),
        "audit_reads": _entries_document(log, AccessKind.AUDIT_READ),
    }


def _entries_document(log: LogExcerpt, kind: AccessKind) -> dict[str, Any]:
    listed = log.entries[kind]
    return {"count": listed.count, "shown": [_entry_document(each) for each in listed.rows]}


def keys_document(keys: Listed[KeyAge], *, now: datetime) -> dict[str, Any]:
    """Return the ages of *keys*."""
    return {"count": keys.count, "shown": [_key_document(each, now) for each in keys.rows]}


def erasure_counts_document(counts: ErasureCounts) -> dict[str, Any]:
    """Return the numbers of erasures."""
    return {
        "pending": counts.pending,
        "erased": counts.erased,
        "confirmed": counts.confirmed,
        "overdue": counts.overdue,
    }


def _policy_document(policy: RowPolicy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "command": policy.command,
        "is_permissive": policy.is_permissive,
        "roles": list(policy.roles),
    }


def _entry_document(entry: AccessEntry) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "organization_id": str(entry.organization_id),
        "occurred_at": format_time(entry.occurred_at),
        "actor_kind": entry.actor_kind,
        "actor_id": str(entry.actor_id),
        "action": entry.action,
        "outcome": entry.outcome,
        "target": entry.target,
        "count": entry.count,
    }


def _key_document(key: KeyAge, now: datetime) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "type": key.kind,
        "created_at": format_time(key.created_at),
        "age_days": (now - key.created_at).days,
        "expires_at": format_optional_time(key.expires_at),
        "rotate_by": format_optional_time(key.rotate_by),
        "is_overdue": key.is_overdue(now),
    }
