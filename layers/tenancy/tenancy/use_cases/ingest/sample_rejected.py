"""Sample the calls of Segment SDKs that cannot be events, and the batches that cannot be used at all.

A sample costs one call of SQS, at most once a minute for an organization and process. It never fails the request.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tenancy.errors import Refusal, UnavailableError
from tenancy.rules.durations import CALL_SAMPLE_INTERVAL
from tenancy.rules.events.frames import encode_lines
from tenancy.rules.events.row import MAX_EVENT_BYTES, TRANSPORT_MEMBERS, Rejection, join_members
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.rejected_call_queue import RejectedCall, RejectedCallQueue
from tenancy.use_cases.ingest.ingest_events import Parse
from tenancy.use_cases.ingest.parsed_batch import (
    REFUSED_BATCHES,
    NoValidEventError,
    ParsedBatch,
    RefusedBatch,
    batch_cause,
)

MAX_CALLS_PER_SAMPLE: Final = 3  # each with another cause
MAX_REMEMBERED_ORGANIZATIONS: Final = 1_000
NO_CONTENT: Final = b"null"  # stands for a batch, and for a call of more than MAX_EVENT_BYTES

_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class CallSample:
    """The rejected calls of one request, or its refused batch.

    *tenant* and *refusal* are those of the parser. A refusal by authentication or admission is not kept.
    """

    def __init__(self, measure_body: Callable[[], int]) -> None:
        """Know no calls yet: the parser sets *calls*, once the caller is authorized.

        *measure_body* returns the size of the body. It is called for a refused batch.
        """
        self.calls: Sequence[msgspec.Raw] = ()
        self.tenant: Tenant | None = None
        self.refusal: RefusedBatch | None = None
        self._measure_body = measure_body
        self._rejected: Sequence[Rejection] = ()

    def of(self, parse: Parse) -> Parse:
        """Return *parse*, which also keeps the rejected calls and their tenant."""

        def parse_and_keep(tenant: Tenant) -> ParsedBatch:
            self.tenant = tenant
            try:
                parsed = parse(tenant)
            except REFUSED_BATCHES as refusal:
                self.refusal = refusal
                raise
            self._rejected = parsed.rejected
            return parsed

        return parse_and_keep

    def first_of_each_cause(self) -> list[RejectedCall]:
        """Return the first call of each cause, at most `MAX_CALLS_PER_SAMPLE`, or the batch without its content."""
        rejected = self._rejected
        if isinstance(self.refusal, NoValidEventError):
            rejected = self.refusal.rejected
        elif self.refusal is not None:
            return [self._batch(batch_cause(self.refusal))]
        by_cause: dict[str, Rejection] = {}
        for rejection in rejected:
            if len(by_cause) == MAX_CALLS_PER_SAMPLE:
                break
            by_cause.setdefault(rejection.errors[0].code, rejection)
        return [self._call(cause, rejection.index) for cause, rejection in by_cause.items()]

    def _batch(self, cause: str) -> RejectedCall:
        return RejectedCall(cause=cause, index=None, size_bytes=self._measure_body(), text=encode_lines([NO_CONTENT]))

    def _call(self, cause: str, index: int) -> RejectedCall:
        raw = bytes(self.calls[index])
        return RejectedCall(cause=cause, index=index, size_bytes=len(raw), text=encode_lines([_content(raw)]))


class CallSampler:
    """Sends samples of rejected calls to their queue."""

    def __init__(self, queue: RejectedCallQueue) -> None:
        """Send to *queue*."""
        self._queue = queue
        self._sampled_at: OrderedDict[UUID, datetime] = OrderedDict()

    @contextmanager
    def sampled(self, sample: CallSample, *, now: datetime) -> Iterator[None]:
        """Send *sample* if the request in the block was admitted.

        Another refusal comes from authentication or admission: then nothing is sent.
        """
        try:
            yield
        except Refusal as refusal:
            if refusal is sample.refusal:
                self._send(sample, now=now)
            raise
        self._send(sample, now=now)

    def _send(self, sample: CallSample, *, now: datetime) -> None:
        tenant = sample.tenant
        if tenant is None or self._was_sampled(tenant.organization_id, now=now):
            return
        calls = sample.first_of_each_cause()
        if not calls:
            return
        self._sampled_at[tenant.organization_id] = now
        if len(self._sampled_at) > MAX_REMEMBERED_ORGANIZATIONS:
            self._sampled_at.popitem(last=False)
        with suppress(UnavailableError):  # a lost sample is no reason to refuse the request
            self._queue.send_calls(tenant.organization_id, calls)

    def _was_sampled(self, organization_id: UUID, *, now: datetime) -> bool:
        sampled_at = self._sampled_at.get(organization_id)
        return sampled_at is not None and sampled_at > now - CALL_SAMPLE_INTERVAL


def _content(raw: bytes) -> bytes:
    """Return the call on one line, without its write key."""
    if len(raw) > MAX_EVENT_BYTES:
        return NO_CONTENT
    with suppress(msgspec.MsgspecError):
        raw = join_members(_members_decoder.decode(raw), TRANSPORT_MEMBERS)
    return raw.replace(b"\n", b" ").replace(b"\r", b" ")
