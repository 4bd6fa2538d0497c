"""The audit trail of requests: reads, and refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.errors import Refusal, UnavailableError
from tenancy.gateway.http import STAGE_PREFIX, Request
from tenancy.gateway.metrics import count
from tenancy.rules.audit_record import PLATFORM_LOG, Actor, AuditOutcome, AuditRecord
from tenancy.rules.tenant import Caller, CallerKind, Operator, Tenant
from tenancy.stores.aws.audit_queue import AuditQueue

TENANT_MISMATCH: Final = "TenantMismatch"  # an alarm in template.yaml watches this metric
MAX_SENT: Final = 10_000  # remembered records. A forgotten one is sent again, and written once.

logger = Logger()


class AuditTrail:
    """A sender of audit records to the audit queue."""

    def __init__(self, queue: AuditQueue) -> None:
        """Send to *queue*."""
        self._queue = queue
        self._sent: set[UUID] = set()

    @contextmanager
    def audited(self, request: Request, caller: Caller, *, is_recorded: bool = False) -> Iterator[None]:
        """Record the refusal of the block, or a successful read.

        A GET by a person or an operator is such a read. With *is_recorded* each request of the route is one, also by a
        key. Reads of one route by one key within one minute become one entry.

        Every 403 is recorded, and every refusal of a request that names another organization, also a 404. Such a tenant
        mismatch is recorded for the credential's organization and for the platform, never for the organization that was
        named. It also counts in the metric `TenantMismatch`. No other refusal is recorded.

        Raises:
            UnavailableError: the read cannot be recorded, so it is not answered.
        """
        try:
            yield
        except Refusal as refusal:
            self._record_refusal(request, caller, refusal)
            raise
        if is_recorded or (request.method == "GET" and caller.kind is not CallerKind.KEY):
            self._record_read(request, caller)

    def _record_read(self, request: Request, caller: Caller) -> None:
        organization_id = _log_of(request, caller)
        record = _record(request, caller, AuditOutcome.DONE, request.instance)
        if caller.kind is not CallerKind.KEY:
            self._queue.send_record(organization_id, record)
            return
        record = record.once_a_minute(organization_id)
        if record.id in self._sent:
            return
        self._queue.send_record(organization_id, record)
        if len(self._sent) >= MAX_SENT:
            self._sent.clear()
        self._sent.add(record.id)

    def _record_refusal(self, request: Request, caller: Caller, refusal: Refusal) -> None:
        """Record a *refusal* with status 403 or with sources.

        If the queue is unreachable, a warning is logged and the refusal is answered: it shows the caller no data.
        """
        if refusal.status != HTTPStatus.FORBIDDEN and not refusal.sources:
            return
        logs = {caller.organization_id} if isinstance(caller, Tenant) else {PLATFORM_LOG}
        if refusal.sources:
            logs.add(PLATFORM_LOG)
            _count_mismatch(caller)
        sources, code = ", ".join(refusal.sources), "tenant_mismatch" if refusal.sources else refusal.code
        for organization_id in sorted(logs):
            target = _with_organization(sources, caller) if organization_id == PLATFORM_LOG else sources
            try:
                self._queue.send_record(
                    organization_id, _record(request, caller, AuditOutcome.REFUSED, target, code=code)
                )
            except UnavailableError:
                logger.warning(
                    "the refusal was not recorded in the audit log", request_id=request.request_id, code=code
                )


def actor_of(request: Request, caller: Caller) -> Actor:
    """Return the caller as an actor of the audit log."""
    return Actor(
        kind=caller.kind,
        id=caller.credential_id,
        request_id=request.request_id,
        source_address=request.source_address,
    )


def _record(request: Request, caller: Caller, outcome: AuditOutcome, target: str, *, code: str = "") -> AuditRecord:
    return AuditRecord(
        occurred_at=datetime.now(UTC),
        actor=actor_of(request, caller),
        action=f"{request.method} {STAGE_PREFIX}{request.route}",
        target=target,
        outcome=outcome,
        code=code,
    )


def _with_organization(sources: str, caller: Caller) -> str:
    """Add the organization of the credential, for the platform's log."""
    return f"{sources} by organization {caller.organization_id}" if isinstance(caller, Tenant) else sources


def _log_of(request: Request, caller: Caller) -> UUID:
    """Return the organization in whose log a read is recorded.

    An operator's read is recorded for the organization in the path, or for the platform without one.
    """
    if isinstance(caller, Operator):
        named = request.path_parameters.get("organization_id")
        return UUID(named) if named else PLATFORM_LOG
    return caller.organization_id


def _count_mismatch(caller: Caller) -> None:
    metadata = {"credential_id": str(caller.credential_id)}
    if isinstance(caller, Tenant):
        metadata["organization_id"] = str(caller.organization_id)
    count(TENANT_MISMATCH, metadata)
