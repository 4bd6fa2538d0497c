"""Ingest events: admit the request, enqueue the events that fit the quota, then answer.

A request is admitted together with the number of its events, in one round trip to Redis. So its events are parsed
before it is admitted.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import msgspec
from msgspec import structs

from tenancy.errors import (
    FieldError,
    NotFoundError,
    OrganizationInactiveError,
    Refusal,
    UnauthenticatedError,
    UnavailableError,
)
from tenancy.rules.admission import HELD_FOR_QUOTA, Admission
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.events.row import EventRow, Rejection
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.quotas import quota_exceeded, quota_retry_later
from tenancy.rules.resolution import Mention, resolve
from tenancy.rules.tenant import Caller, Tenant, require_tenant
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.admission.domain_owners import DomainOwners
from tenancy.use_cases.ingest.parsed_batch import ParsedBatch

if TYPE_CHECKING:
    from tenancy.use_cases.keys.write_keys import WriteKeys

OVER_QUOTA: Final = FieldError(
    location="", code="quota_exceeded", message="The month's quota of events and its grace band are used up."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The result of a batch.

    Accepted and held events are in the queue. Held events do not count yet.
    """

    batch_id: UUID
    accepted: int
    held: int
    rejected: tuple[Rejection, ...]


type Parse = Callable[[Tenant], ParsedBatch]


class IngestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request with events: the organizations that it mentions, and the parser of its events.

    *all_or_nothing* is set for Segment SDKs: they drop a batch that is answered with 402, and send it again on 429.

    *is_whole* is set for OpenMeter's SDK: a batch is refused unless all of its events are accepted or held for the
    quota. The answer to this SDK cannot name a rejected event.
    """

    mentions: tuple[Mention, ...]
    parse: Parse
    all_or_nothing: bool = False
    is_whole: bool = False

    @property
    def reserves_all(self) -> bool:
        """Whether quota is reserved for all of the events, or for none."""
        return self.all_or_nothing or self.is_whole


class IngestHooks(msgspec.Struct, frozen=True, kw_only=True):
    """Calls back to the handler.

    *audited* returns a context manager for the work that is done for a caller. It sees the refusals of that caller.
    *on_admission* gets every decision of admission, also one that refuses the request.
    """

    audited: Callable[[Caller], AbstractContextManager[None]]
    on_admission: Callable[[Admission], None]


class Ingest:
    """Takes requests with events: *gate* admits them, *queue* gets the events."""

    def __init__(
        self,
        gate: AdmissionGate,
        queue: EventQueue,
        write_keys: "Callable[[], WriteKeys]",
        *,
        base_domain: str,
        domain_owners: DomainOwners,
    ) -> None:
        """Open nothing yet.

        *write_keys* is called for the first write key, because it imports PostgreSQL's driver. *base_domain* is the
        platform's own domain, in lower case. *domain_owners* finds the organizations of other hosts.
        """
        self._gate = gate
        self._queue = queue
        self._write_keys = write_keys
        self._base_domain = base_domain
        self._domain_owners = domain_owners

    def ingest(
        self, caller: Caller, request: IngestRequest, hooks: IngestHooks, *, now: datetime
    ) -> tuple[Tenant, Receipt]:
        """Enqueue the admitted events of a *caller* that the authorizer has authenticated.

        A request that is refused counts against the rate limit like any other.

        Raises:
            TenantMismatchError, ForeignPathError, ForbiddenError: the caller may not send events there.
            InvalidError: no event is valid, or not all are valid and the batch is whole.
            UnauthenticatedError, RateLimitedError, OrganizationInactiveError, QuotaExceededError: not admitted.
            UnavailableError: the queue is unreachable. The client sends the same events again.
        """
        with hooks.audited(caller):
            try:
                tenant = self._authorize(caller, request.mentions)
                parsed = request.parse(tenant)
                if request.is_whole:
                    parsed.require_whole()
            except Refusal:
                self._admit(caller, None, request.all_or_nothing, hooks, now)
                raise
            admission = self._admit(
                tenant, parsed, request.all_or_nothing, hooks, now, reserve_all=request.reserves_all
            )
            give_back = partial(self._gate.cancel, tenant, admission, reserved_at=now)
            self._require_own_domain(tenant, request.mentions, give_back, now)
            parsed = _apply_retention(parsed, admission, all_or_nothing=request.all_or_nothing)
            if request.is_whole:
                with _giving_back(give_back):
                    parsed.require_whole()
            require_room(admission, parsed, all_or_nothing=request.all_or_nothing)
            receipt = enqueue_events(self._queue, tenant, parsed, admission, give_back)
        return tenant, receipt

    def ingest_with_key(
        self, key: ApiKey, request: IngestRequest, hooks: IngestHooks, *, now: datetime
    ) -> tuple[Tenant, Receipt]:
        """Authenticate the write *key* of a Segment SDK, then ingest the request.

        Raises:
            UnauthenticatedError: *key* is no valid write key.
            UnavailableError: the database or the queue is unreachable.
        """
        return self.ingest(self._write_keys().authenticate(key, now=now), request, hooks, now=now)

    def require_project(self, key: ApiKey, mentions: tuple[Mention, ...], hooks: IngestHooks, *, now: datetime) -> None:
        """Check that the write *key* may send events, as a Segment SDK asks before its first batch.

        Raises:
            NotFoundError: the key is no valid write key, or its organization is inactive.
            RateLimitedError: not admitted. A used-up quota is answered like that, too.
            TenantMismatchError, ForbiddenError: the key may not send events there.
            UnavailableError: the database is unreachable.
        """
        try:
            tenant = self._write_keys().authenticate(key, now=now)
            with hooks.audited(tenant):
                self._admit(tenant, None, True, hooks, now)  # noqa: FBT003 - a Segment SDK's request
                self._authorize(tenant, mentions)
                self._require_own_domain(tenant, mentions, lambda: None, now)
        except (UnauthenticatedError, OrganizationInactiveError) as error:
            raise NotFoundError("There is no such project.") from error

    def _require_own_domain(
        self, tenant: Tenant, mentions: tuple[Mention, ...], give_back: Callable[[], None], now: datetime
    ) -> None:
        """Require that no host is a custom domain of another organization. Otherwise *give_back* is called.

        A look-up takes a statement. So the admission comes first: write keys are public.
        """
        owners = self._domain_owners.find(mentions, now=now)
        if owners:
            with _giving_back(give_back):
                resolve(tenant, mentions, base_domain=self._base_domain, domain_owners=owners).require_accepted()

    def _authorize(self, caller: Caller, mentions: tuple[Mention, ...]) -> Tenant:
        resolve(caller, mentions, base_domain=self._base_domain).require_accepted()
        return require_tenant(caller, EVENTS_WRITE)

    def _admit(
        self,
        caller: Caller,
        parsed: ParsedBatch | None,
        all_or_nothing: bool,  # noqa: FBT001 - the request's
        hooks: IngestHooks,
        now: datetime,
        *,
        reserve_all: bool = False,
    ) -> Admission:
        """Admit the request.

        With *reserve_all* quota is reserved for all of its events, or for none.
        """
        events, ages = (parsed.kept_by_all, list(parsed.ages.values())) if parsed is not None else (0, [])
        admission = self._gate.admit(caller, events=events, ages=ages, all_or_nothing=reserve_all, now=now)
        hooks.on_admission(admission)
        admission.require_admitted(all_or_nothing=all_or_nothing)
        return admission


def _apply_retention(parsed: ParsedBatch, admission: Admission, *, all_or_nothing: bool) -> ParsedBatch:
    """Hold or reject the events that are older than the retention of the organization.

    Raises:
        InvalidError: no event is left.
    """
    if admission.entitlements is None:
        return parsed
    retention_days = admission.entitlements.quotas.data_retention_days
    return parsed.hold_past(retention_days) if all_or_nothing else parsed.reject_past(retention_days)


@contextmanager
def _giving_back(give_back: Callable[[], None]) -> Iterator[None]:
    """Return the reserved quota by *give_back* if the block refuses the request."""
    try:
        yield
    except Refusal:
        give_back()
        raise


def require_room(admission: Admission, parsed: ParsedBatch, *, all_or_nothing: bool) -> None:
    """Require that events of a batch fit the quota or its grace band.

    With *all_or_nothing* all events must fit, otherwise at least one. Segment SDKs send with *all_or_nothing*: they
    drop a batch that is answered with 402, and send it again on 429.

    Raises:
        QuotaExceededError: no event fits.
        RateLimitedError: not all events fit, and *all_or_nothing* is set.
    """
    fits = admission.accepted + admission.held
    if admission.entitlements is None or fits == len(parsed.counted):
        return
    if all_or_nothing:
        raise quota_retry_later(admission.entitlements, admission.metric)
    if not fits and not parsed.clock_held:
        raise quota_exceeded(admission.entitlements, admission.metric, used=admission.used)


def enqueue_events(
    queue: EventQueue, tenant: Tenant, parsed: ParsedBatch, admission: Admission, give_back: Callable[[], None]
) -> Receipt:
    """Enqueue the admitted events of *parsed*.

    The first ones are accepted, the next ones are held. If the queue fails, *give_back* returns their quota.

    Raises:
        UnavailableError: the queue is unreachable. Some events may be queued. A retry sends the same events, and load
            stores each of them once.
    """
    counted = parsed.counted
    end = admission.accepted + admission.held
    accepted, over_quota = counted[: admission.accepted], counted[admission.accepted : end]
    held = [structs.replace(row, reason=HELD_FOR_QUOTA) for row in over_quota] + [*parsed.clock_held]
    try:
        queue.send_frames(tenant.organization_id, "events", encode_frames(accepted))
        if held:
            queue.send_frames(tenant.organization_id, "held_events", encode_frames(held))
    except UnavailableError:
        give_back()
        raise
    return _receipt(parsed, accepted, held)


def _receipt(parsed: ParsedBatch, accepted: Sequence[EventRow], held: Sequence[EventRow]) -> Receipt:
    """Count the results of the events. A copy within the batch has the result of the first one."""
    if len(accepted) == len(parsed.rows):  # nearly always, and no identity is needed
        return _counted(parsed, accepted=len(accepted), held=0)
    identities = {row.identity for row in accepted}, {row.identity for row in held}
    refused = [
        Rejection(index=index, event_id=row.event_id, errors=parsed.places.locate([OVER_QUOTA], index))
        for index, row in parsed.rows.items()
        if not any(row.identity in each for each in identities)
    ]
    count_accepted, count_held = (sum(row.identity in each for row in parsed.rows.values()) for each in identities)
    return _counted(parsed, refused, accepted=count_accepted, held=count_held)


def _counted(parsed: ParsedBatch, refused: Sequence[Rejection] = (), *, accepted: int, held: int) -> Receipt:
    rejected = sorted([*parsed.rejected, *refused], key=lambda rejection: rejection.index)
    return Receipt(batch_id=uuid4(), accepted=accepted, held=held, rejected=tuple(rejected))
