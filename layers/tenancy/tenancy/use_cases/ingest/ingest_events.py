"""Take events in: admit the request, put the events that fit the quota into the queue, then answer.

A request is admitted together with the number of its events, in one round trip to Redis. So its events are parsed
before it is admitted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from msgspec import structs

from tenancy.errors import FieldError, Refusal, UnavailableError
from tenancy.rules.admission import HELD_FOR_QUOTA, Admission
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.events.row import Rejection
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.quotas import quota_exceeded, quota_retry_later
from tenancy.rules.resolution import Mention, resolve
from tenancy.rules.tenant import Caller, Tenant, require_tenant
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.ingest.parse_batch import Identity, ParsedBatch

OVER_QUOTA: Final = FieldError(
    location="", code="quota_exceeded", message="The month's quota of events and its grace band are used up."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a batch. Accepted events are in the queue; *held* events are too, but do not count yet."""

    batch_id: UUID
    accepted: int
    held: int
    rejected: tuple[Rejection, ...]


type Parse = Callable[[Tenant], ParsedBatch]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """A request with events: its *caller*, the organizations that it mentions, and how its events are parsed.

    *all_or_nothing* is set for Segment SDKs: they drop a batch that is answered with 402, and send it again on 429.
    """

    caller: Caller
    mentions: tuple[Mention, ...]
    parse: Parse
    all_or_nothing: bool


class Ingest:
    """Takes requests with events: *gate* admits them, *queue* gets the events."""

    def __init__(self, gate: AdmissionGate, queue: EventQueue, *, base_domain: str) -> None:
        """*base_domain* is the platform's own domain, in lower case."""
        self._gate = gate
        self._queue = queue
        self._base_domain = base_domain

    def ingest(
        self, request: IngestRequest, *, on_admission: Callable[[Admission], None], now: datetime
    ) -> tuple[Tenant, Receipt]:
        """Enqueue the events of *request* that are admitted; return the tenant and what became of the events.

        A request that is refused counts against the rate limit like any other. *on_admission* gets every decision,
        also one that refuses the request.

        Raises:
            TenantMismatchError, ForeignPathError, ForbiddenError: the caller may not send events there.
            InvalidError: no event is valid.
            UnauthenticatedError, RateLimitedError, OrganizationInactiveError, QuotaExceededError: not admitted.
            UnavailableError: the queue is unreachable. The client sends the same events again.
        """
        try:
            tenant = self._authorize(request.caller, request.mentions)
            parsed = request.parse(tenant)
        except Refusal:
            self._admit(request.caller, 0, request.all_or_nothing, on_admission, now)
            raise
        admission = self._admit(tenant, len(parsed.counted), request.all_or_nothing, on_admission, now)
        require_room(admission, parsed, all_or_nothing=request.all_or_nothing)
        receipt = enqueue_events(
            self._queue, tenant, parsed, admission, lambda: self._gate.cancel(tenant, admission, reserved_at=now)
        )
        return tenant, receipt

    def require_project(
        self,
        tenant: Tenant,
        mentions: tuple[Mention, ...],
        *,
        on_admission: Callable[[Admission], None],
        now: datetime,
    ) -> None:
        """Check that *tenant* may send events, as a Segment SDK asks before its first batch.

        Raises:
            UnauthenticatedError, RateLimitedError, OrganizationInactiveError, QuotaExceededError: not admitted.
            TenantMismatchError, ForbiddenError: the key may not send events there.
        """
        self._admit(tenant, 0, True, on_admission, now)  # noqa: FBT003 - a Segment SDK's request
        self._authorize(tenant, mentions)

    def _authorize(self, caller: Caller, mentions: tuple[Mention, ...]) -> Tenant:
        resolve(caller, mentions, base_domain=self._base_domain).require_accepted()
        return require_tenant(caller, EVENTS_WRITE)

    def _admit(
        self,
        caller: Caller,
        events: int,
        all_or_nothing: bool,  # noqa: FBT001 - the request's
        on_admission: Callable[[Admission], None],
        now: datetime,
    ) -> Admission:
        admission = self._gate.admit(caller, events=events, all_or_nothing=all_or_nothing, now=now)
        on_admission(admission)
        admission.require_admitted(all_or_nothing=all_or_nothing)
        return admission


def require_room(admission: Admission, parsed: ParsedBatch, *, all_or_nothing: bool) -> None:
    """Let a batch pass when anything of it may be taken, or *is_whole* all of it.

    A whole one is a Segment SDK's, which drops for good what is answered with 402, and sends again on 429.

    Raises:
        QuotaExceededError: nothing of it fits, neither the quota nor what can be held past it.
        RateLimitedError: not the whole of it fits.
    """
    fits = admission.accepted + admission.held
    if admission.tier is None or fits == len(parsed.counted):
        return
    if all_or_nothing:
        raise quota_retry_later(admission.tier, admission.metric)
    if not fits and not parsed.clock_held:
        raise quota_exceeded(admission.tier, admission.metric, used=admission.used)


def enqueue_events(
    queue: EventQueue, tenant: Tenant, parsed: ParsedBatch, admission: Admission, give_back: Callable[[], None]
) -> Receipt:
    """Put what was admitted of *parsed* into the queue: the first events that fit, then those that are held.

    *give_back* returns their quota when they are not taken.

    Raises:
        UnavailableError: the queue is away; what it has got is the same event when it is sent again.
    """
    counted = list(parsed.counted.values())
    end = admission.accepted + admission.held
    accepted, over = counted[: admission.accepted], counted[admission.accepted : end]
    held = [structs.replace(row, reason=HELD_FOR_QUOTA) for row in over] + list(parsed.clock_held.values())
    try:
        queue.send_frames(tenant.organization_id, "events", encode_frames(accepted))
        queue.send_frames(tenant.organization_id, "held_events", encode_frames(held))
    except UnavailableError:
        give_back()
        raise
    return _receipt(parsed, {row.identity for row in accepted}, {row.identity for row in held})


def _receipt(parsed: ParsedBatch, accepted: set[Identity], held: set[Identity]) -> Receipt:
    """Say what became of each event; copies within the batch share the fate of the first."""
    taken = accepted | held
    refused = [
        Rejection(index=index, event_id=row.event_id, errors=(OVER_QUOTA,))
        for index, row in parsed.rows.items()
        if row.identity not in taken
    ]
    return Receipt(
        batch_id=uuid4(),
        accepted=sum(row.identity in accepted for row in parsed.rows.values()),
        held=sum(row.identity in held for row in parsed.rows.values()),
        rejected=tuple(sorted([*parsed.rejected, *refused], key=lambda rejection: rejection.index)),
    )
