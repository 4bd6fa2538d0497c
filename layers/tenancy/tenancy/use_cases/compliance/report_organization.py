"""The compliance report of one organization, read in its own context under row-level security."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.errors import NotFoundError
from tenancy.rules.compliance import (
    DeletionState,
    ErasureCounts,
    KeyAge,
    Listed,
    SubjectErasure,
)
from tenancy.rules.durations import REPORT_STATEMENT_SECONDS
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.usage import Period
from tenancy.stores.postgres.compliance import (
    count_erasures,
    count_overdue_keys,
    find_deletion_state,
    list_key_ages,
    list_subject_erasures,
    read_log_excerpt,
)
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import find_organization_of_tenant
from tenancy.stores.postgres.row_security import find_connection_settings, read_row_security
from tenancy.use_cases.compliance.deployment import Deployment
from tenancy.use_cases.compliance.facts import ReportFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationReport:
    """The report of an organization."""

    organization_id: UUID
    facts: ReportFacts
    entitlements: Entitlements
    deletion: DeletionState
    erasure_counts: ErasureCounts
    erasures: Listed[SubjectErasure]
    key_rotation_days: int | None
    keys: Listed[KeyAge]
    overdue_keys: int


def report_organization(
    db: Homes,
    deployment: Deployment,
    organization_id: UUID,
    period: Period,
    *,
    now: datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> OrganizationReport:
    """Return the report of an organization with any status.

    Raises:
        NotFoundError: there is no such organization.
        UnavailableError: the database is unreachable, or ended a statement that took too long.
    """
    with db.tenant_transaction(organization_id, is_snapshot=True, statement_seconds=REPORT_STATEMENT_SECONDS) as conn:
        own = find_organization_of_tenant(conn, organization_id)
        deletion = find_deletion_state(conn, organization_id)
        if own is None or deletion is None:
            raise NotFoundError("There is no such organization.")
        log = read_log_excerpt(conn, organization_id, period)
        erasure_counts = count_erasures(conn, organization_id, period, now=now)
        erasures = list_subject_erasures(conn, organization_id, period)
        keys = list_key_ages(conn, organization_id, now=now)
        overdue_keys = count_overdue_keys(conn, organization_id, now=now)
    connection, archive = find_connection_settings(db.of(organization_id))
    facts = ReportFacts(
        generated_at=now,
        period=period,
        row_security=read_row_security(db.of(organization_id)),
        connection=connection,
        archive=archive,
        deployed=deployment.read(now=now, has_time=has_time),
        log=log,
    )
    return OrganizationReport(
        organization_id=organization_id,
        facts=facts,
        entitlements=own.entitlements,
        deletion=deletion,
        erasure_counts=erasure_counts,
        erasures=erasures,
        key_rotation_days=own.key_rotation_days,
        keys=keys,
        overdue_keys=overdue_keys,
    )
