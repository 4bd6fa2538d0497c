"""Documents of the audit log: entries as JSON or CSV, and the result of a verification."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal, TypedDict
from uuid import UUID

from pydantic import Field

from tenancy.errors import FieldError, InvalidError
from tenancy.gateway.answer_types import Seal, Time, Uuid
from tenancy.gateway.late_checks import LateCheck, QueryMembers
from tenancy.gateway.pages import fit_page, page_document
from tenancy.gateway.parameters import Cursor, Day, Matching, WholeNumber
from tenancy.gateway.periods import parse_period
from tenancy.gateway.times import format_time
from tenancy.rules.audit_chain import AuditEntry, ChainLink, Checkpoint
from tenancy.rules.audit_record import AuditOutcome
from tenancy.rules.cursors import MAX_PAGE, Page
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import AuditSelection
from tenancy.use_cases.audit.read_audit import Verification

OPERATOR: Final = CallerKind.OPERATOR.value
MAX_SEQUENCE: Final = 2**63 - 1
CSV: Final = "text/csv; charset=utf-8"
CSV_HEADERS: Final = MappingProxyType({"Content-Disposition": False, "X-Next-Cursor": False})  # JSON has none
PAGE_SIZES: Final = {"json": MAX_PAGE, "csv": 5_000}  # maximum and default. A page of long lines ends early.

CSV_COLUMNS: Final = (
    "sequence", "id", "occurred_at", "actor_kind", "actor_id", "source_address", "action", "target", "outcome", "code",
    "count", "request_id", "seal",
)  # fmt: skip
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # begins a formula in spreadsheets (OWASP: CSV injection)


class AuditQuery(QueryMembers):
    """The query of GET /v1/audit. The period is in UTC days, by default the current month."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    actor: UUID | None = None
    action: Annotated[str, Matching(r"[ -~]{1,200}", "Expected 1 to 200 printable ASCII characters.")] | None = None
    outcome: AuditOutcome | None = None
    format: Literal["json", "csv"] = "json"
    cursor: Cursor | None = None
    limit: Annotated[WholeNumber, Field(ge=1)] | None = None

    def selection(self) -> AuditSelection:
        """Return the requested selection of entries.

        Raises:
            InvalidError: the period is not valid.
        """
        period = parse_period(self.from_, self.to, today=datetime.now(UTC).date())
        return AuditSelection(
            start=period.start, end=period.end, actor=self.actor, action=self.action, outcome=self.outcome
        )

    def page_size(self) -> int:
        """Return the requested number of entries, by default the maximum of the format.

        Raises:
            InvalidError: `limit` is larger than the maximum of the format.
        """
        most = PAGE_SIZES[self.format]
        if self.limit is not None and self.limit > most:
            message = f"`limit` is {self.limit}. At most {most} entries are allowed for the format {self.format}."
            raise InvalidError(
                message, errors=[FieldError(location="query/limit", code="out_of_range", message=message)]
            )
        return self.limit or most

    LATE_CHECKS: ClassVar = (
        LateCheck(("from", "to"), lambda query, _: query.selection()),
        LateCheck(("limit", "format"), lambda query, _: query.page_size()),
    )


class VerifyQuery(QueryMembers):
    """The query of GET /v1/audit/verify: `last_sequence` and `last_seal` of an earlier answer."""

    after_sequence: Annotated[WholeNumber, Field(ge=0, le=MAX_SEQUENCE)] | None = None
    after_seal: Annotated[str, Matching("[0-9a-f]{64}", "Expected a seal: 64 digits 0-9 and a-f.")] | None = None

    def link(self) -> ChainLink | None:
        """Return the link of the chain to start at, or None without one.

        Raises:
            InvalidError: one of the two members is given without the other.
        """
        if self.after_sequence is None and self.after_seal is None:
            return None
        if self.after_sequence is None or self.after_seal is None:
            message = "`after_sequence` and `after_seal` must be given together."
            raise InvalidError(
                message, errors=[FieldError(location="query/after_seal", code="missing", message=message)]
            )
        return ChainLink(sequence=self.after_sequence, seal=bytes.fromhex(self.after_seal))

    LATE_CHECKS: ClassVar = (LateCheck(("after_sequence", "after_seal"), lambda query, _: query.link()),)


class AuditActorAnswer(TypedDict):
    """The actor of an entry. Tenants do not see the addresses of operators."""

    kind: CallerKind
    id: Uuid
    source_address: str | None


class AuditEntryAnswer(TypedDict):
    """An entry of an audit log. *sequence* and *seal* are null until the entry is sealed."""

    id: Uuid
    sequence: int | None
    occurred_at: Time
    actor: AuditActorAnswer
    action: str
    target: str
    outcome: AuditOutcome
    code: str
    count: int
    request_id: str
    seal: Seal | None


class BrokenLinkAnswer(TypedDict):
    """The first entry that breaks a chain."""

    sequence: int
    reason: str


class CheckpointAnswer(TypedDict):
    """The signed replacement of the entries that retention has cut."""

    sequence: int
    seal: Seal
    cut_before: Time


class VerificationAnswer(TypedDict):
    """The result of a verification."""

    valid: bool
    broken: BrokenLinkAnswer | None
    first_sequence: int
    last_sequence: int
    last_seal: Seal
    is_complete: bool
    unsealed: int
    checkpoint: CheckpointAnswer | None


def entries_answer(page: Page[AuditEntry], query: AuditQuery) -> tuple[str, dict[str, str], str]:
    """Return the content type, headers and body of one page.

    The cursor of the next page is in the JSON, or in the header `X-Next-Cursor` for CSV.
    """
    if query.format == "json":
        return "application/json", {}, json.dumps(page_document(page, entry_document))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    lines = [csv_line(entry) for entry in page.rows]
    fitted = fit_page(page, lines)
    if fitted.next_cursor is not None:
        headers["X-Next-Cursor"] = fitted.next_cursor
    return CSV, headers, "".join([_line(CSV_COLUMNS), *lines[: len(fitted.rows)]])


def without_operators_addresses(page: Page[AuditEntry]) -> Page[AuditEntry]:
    """Return *page* as a tenant sees it, without the IP addresses of operators."""
    shown = [replace(each, source_address=None) if each.actor_kind == OPERATOR else each for each in page.rows]
    return replace(page, rows=shown)


def csv_line(entry: AuditEntry) -> str:
    """Return *entry* as a line of CSV (RFC 4180). No field begins like a formula."""
    document = entry_document(entry)
    values = {**document, **{f"actor_{name}": value for name, value in document["actor"].items()}}
    values["source_address"] = document["actor"]["source_address"]
    return _line([_field(values[column]) for column in CSV_COLUMNS])


def verification_document(verification: Verification) -> dict[str, Any]:
    """Return the answer of GET /v1/audit/verify."""
    broken, last = verification.broken, verification.last
    return {
        "valid": broken is None,
        "broken": {"sequence": broken.sequence, "reason": broken.reason} if broken else None,
        "first_sequence": verification.start.sequence + 1,
        "last_sequence": last.sequence,
        "last_seal": last.seal.hex(),
        "is_complete": verification.is_complete,
        "unsealed": verification.unsealed,
        "checkpoint": _checkpoint(verification.checkpoint),
    }


def entry_document(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry of the audit log."""
    return {
        "id": str(entry.id),
        "sequence": entry.sequence,
        "occurred_at": format_time(entry.occurred_at),
        "actor": {"kind": entry.actor_kind, "id": str(entry.actor_id), "source_address": entry.source_address},
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "code": entry.code,
        "count": entry.count,
        "request_id": entry.request_id,
        "seal": entry.seal.hex() if entry.seal else None,
    }


def _checkpoint(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    return {
        "sequence": checkpoint.link.sequence,
        "seal": checkpoint.link.seal.hex(),
        "cut_before": format_time(checkpoint.cut_before),
    }


def _line(fields: Iterable[str]) -> str:
    text = StringIO()
    csv.writer(text).writerow(fields)
    return text.getvalue()


def _field(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
