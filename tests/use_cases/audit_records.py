"""Audit records for tests: made, written to a log, and as messages of the queue."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from tenancy.rules.audit_chain import AuditEntry
from tenancy.rules.audit_record import AddressedRecord, AuditOutcome, AuditRecord
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import AuditSelection, insert_audit_record
from tenancy.use_cases.audit.read_audit import list_audit_entries
from tests.given import OPERATOR, Databases

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=400)  # past starter's 365 days, within growth's 730
ALICE, BOB = (replace(OPERATOR, kind=CallerKind.PERSON, id=uuid4(), source_address=f"198.51.100.{n}") for n in (1, 2))
EVER = AuditSelection(start=date(2000, 1, 1), end=date(2100, 1, 1))


def read(number: int, *, occurred_at: datetime = NOW, **changes: object) -> AuditRecord:
    """Return the record of a call that read usage, *number* seconds after *occurred_at*."""
    record = AuditRecord(
        occurred_at=occurred_at + timedelta(seconds=number),
        actor=ALICE,
        action="GET /v1/usage",
        target="/v1/usage",
        outcome=AuditOutcome.DONE,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def refusal(number: int = 0, **changes: object) -> AuditRecord:
    """Return a refusal of ten minutes ago. Numbers 0 to 59 are in the same minute."""
    minute = (NOW - timedelta(minutes=10)).replace(second=0, microsecond=0)
    refused = read(number, occurred_at=minute, outcome=AuditOutcome.REFUSED, code="tenant_mismatch")
    return replace(refused, **changes)  # type: ignore[arg-type]


def write(databases: Databases, organization_id: UUID, *records: AuditRecord) -> None:
    """Insert *records* into the log of the organization."""
    with databases.platform.transaction() as conn:
        for record in records:
            insert_audit_record(conn, organization_id, record)


def message(organization_id: UUID, record: AuditRecord) -> str:
    return msgspec.json.encode(AddressedRecord(organization_id=organization_id, record=record)).decode()


def messages(organization_id: UUID, *records: AuditRecord) -> dict[str, str]:
    """Return records as messages of the queue, by message id."""
    return {f"message-{number}": message(organization_id, record) for number, record in enumerate(records)}


def entries(databases: Databases, organization_id: UUID, outcome: AuditOutcome | None = None) -> list[AuditEntry]:
    selection = replace(EVER, outcome=outcome)
    page = list_audit_entries(databases.functions, organization_id, selection, cursor=None, limit=100)
    return list(page.rows)
