"""Requests for an audit log, and records in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tenancy.rules.audit_record import AuditOutcome, AuditRecord
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import OPERATOR as ACTOR
from tests.given import Databases, tenant_of
from tests.handlers.requests import (
    OPERATOR,
    Event,
    at,
    called_by,
    sample,
    with_query,
)

NOW = datetime.now(UTC)


def ask(who: Provisioned, path: str = "/audit", **query: str) -> Event:
    return called_by(with_query(at(sample("audit", "list"), path), **query), tenant_of(who))


def ask_as_person(who: Provisioned) -> Event:
    return called_by(sample("audit", "list"), replace(tenant_of(who), kind=CallerKind.PERSON))


def for_operator(organization_id: UUID, suffix: str = "") -> Event:
    request = sample("audit", "list_for_operator")
    path = f"/organizations/{organization_id}/audit{suffix}"
    request = at(request, path, f"/organizations/{{organization_id}}/audit{suffix}")
    return called_by({**request, "pathParameters": {"organization_id": str(organization_id)}}, OPERATOR)


def write(databases: Databases, organization_id: UUID, count: int, **changes: object) -> None:
    with databases.platform.transaction() as conn:
        for number in range(count):
            record = AuditRecord(
                occurred_at=NOW - timedelta(seconds=number),
                actor=ACTOR,
                action="GET /v1/usage",
                target="/v1/usage",
                outcome=AuditOutcome.DONE,
            )
            insert_audit_record(conn, organization_id, replace(record, **changes))  # type: ignore[arg-type]
