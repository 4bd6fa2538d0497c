"""Requests for an audit log, and records that tests insert."""

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
    called_by,
    sample,
    with_path,
    with_query,
)

NOW = datetime.now(UTC)
ALL_TIME = {"from_": "2020-01-01", "to": "2099-12-31"}  # the default is this month, and a test may run at its end


def audit_request(provisioned: Provisioned, **query: str) -> Event:
    return called_by(with_query(sample("audit", "list"), **ALL_TIME | query), tenant_of(provisioned))


def verify_request(provisioned: Provisioned, **query: str) -> Event:
    return called_by(with_query(with_path(sample("audit", "list"), "/audit/verify"), **query), tenant_of(provisioned))


def audit_request_of_person(provisioned: Provisioned) -> Event:
    person = replace(
        tenant_of(provisioned),
        credential_id=provisioned.admin_user_id,
        kind=CallerKind.PERSON,
        epoch="0.0",
        expires_at=NOW + timedelta(days=1),
    )
    return called_by(sample("audit", "list"), person)


def operator_audit_request(organization_id: UUID, suffix: str = "") -> Event:
    request = sample("audit", "list_for_operator")
    path = f"/organizations/{organization_id}/audit{suffix}"
    request = with_path(request, path, f"/organizations/{{organization_id}}/audit{suffix}")
    request = with_query(request, **({} if suffix else ALL_TIME))
    return called_by({**request, "pathParameters": {"organization_id": str(organization_id)}}, OPERATOR)


def insert_records(databases: Databases, organization_id: UUID, count: int, **changes: object) -> None:
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
