"""Ingest events: POST /v1/events, CloudEvents, and the paths of the Segment SDKs.

The paths of the Segment SDKs are not behind the authorizer.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from tenancy.errors import NO_ROUTE_TEXT, NotFoundError
from tenancy.gateway.admission import show_admission
from tenancy.gateway.documents.cloud_events import is_batch_mode
from tenancy.gateway.documents.receipts import receipt_document
from tenancy.gateway.documents.segment import (
    find_write_key,
    naming_credential_faults,
    parse_segment_body,
    settings_answer,
)
from tenancy.gateway.event_counts import count_events, counts_events_of_refused_batches
from tenancy.gateway.http import Request, Response, empty_answer, json_answer
from tenancy.gateway.mentions import list_mentions
from tenancy.gateway.query import require_known_query
from tenancy.gateway.rejected_calls import count_rejected_calls, counts_refused_batches
from tenancy.gateway.serve import serve
from tenancy.rules.events.batch import decode_body, parse_batch, split_cloud_events
from tenancy.rules.events.segment import BATCH_PATHS, TYPE_OF_PATH
from tenancy.rules.keys.api_keys import find_key
from tenancy.rules.tenant import Tenant
from tenancy.settings import Settings
from tenancy.use_cases.ingest.ingest_events import Ingest, IngestHooks, IngestRequest, Parse, Receipt
from tenancy.use_cases.ingest.parse_batch import (
    parse_cloud_events,
    parse_event_batch,
    parse_segment_calls,
    require_own,
)
from tenancy.use_cases.ingest.parsed_batch import ParsedBatch
from tenancy.use_cases.ingest.sample_rejected import CallSample, CallSampler
from tenancy.wiring import Wiring

SETTINGS_ROUTE = "/projects/{writeKey}/settings"

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "EVENTS_QUEUE_URL",
    "REDIS_PATIENCE_MS",
    "REJECTED_CALLS_URL",
    "UPGRADE_URL",
)
wiring = Wiring(settings)
trail = wiring.trail
ingest = Ingest(
    wiring.gate(lambda: wiring.database),
    wiring.event_queue,
    lambda: wiring.write_keys,
    base_domain=settings.base_domain,
    domain_owners=wiring.domain_owners(lambda: wiring.database),
)
call_sampler = CallSampler(wiring.rejected_call_queue)


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request. The template lets no other route through."""
    match request.method, request.path:
        case "POST", "/events":
            return answer_events(request)
        case "POST", "/cloudevents":
            return answer_cloud_events(request)
        case "POST", "/api/v1/events":  # OpenMeter's SDK appends this path to its base URL
            return answer_openmeter_events(request)
        case "POST", path if path in BATCH_PATHS or path in TYPE_OF_PATH:
            return answer_segment_calls(request)
        case "GET", _ if request.route == SETTINGS_ROUTE:
            return answer_settings(request)
    raise NotFoundError(NO_ROUTE_TEXT)


def answer_events(request: Request) -> Response:
    """Ingest the events of POST /v1/events."""
    now = datetime.now(UTC)

    def parse(tenant: Tenant) -> ParsedBatch:
        parsed = parse_event_batch(tenant, parse_batch(decode_body(request.body)), now=now)
        require_known_query(request)  # after the events, because a mismatch of an event comes first
        return parsed

    receipt = ingest_events(request, parse, now=now)
    return json_answer(200, receipt_document(receipt))


def answer_cloud_events(request: Request) -> Response:
    """Ingest CloudEvents, and answer as POST /v1/events does."""
    now = datetime.now(UTC)
    receipt = ingest_events(request, parse_cloud_events_of(request, now=now), now=now)
    return json_answer(200, receipt_document(receipt))


def answer_openmeter_events(request: Request) -> Response:
    """Ingest the CloudEvents of OpenMeter's SDK.

    The answer has no document that could name a rejected event, so a batch is taken as a whole.
    """
    now = datetime.now(UTC)
    ingest_events(request, parse_cloud_events_of(request, now=now), now=now, is_whole=True)
    return empty_answer()


def parse_cloud_events_of(request: Request, *, now: datetime) -> Parse:
    """Return the parser of the CloudEvents in *request*.

    It is called after the caller is authorized.
    """

    def parse(tenant: Tenant) -> ParsedBatch:
        is_batch = is_batch_mode(request)
        events = split_cloud_events(decode_body(request.body), is_batch=is_batch)
        parsed = parse_cloud_events(tenant, events, is_batch=is_batch, now=now)
        require_known_query(request)
        return parsed

    return parse


def ingest_events(request: Request, parse: Parse, *, now: datetime, is_whole: bool = False) -> Receipt:
    """Ingest the events of a caller that the authorizer has authenticated."""
    caller = request.caller()
    ingest_request = IngestRequest(mentions=list_mentions(request), parse=parse, is_whole=is_whole)
    with counts_events_of_refused_batches():
        _, receipt = ingest.ingest(caller, ingest_request, hooks_of(request), now=now)
    log_counts(request, receipt)
    return receipt


@naming_credential_faults()
def answer_segment_calls(request: Request) -> Response:
    """Ingest the calls of a Segment SDK.

    The answer is exactly 200, because two SDKs send again on 202 and 204.
    """
    now = datetime.now(UTC)
    with counts_refused_batches(), counts_events_of_refused_batches():
        key, decoded = find_write_key(request)
        sample = CallSample(request.measure_body)

        def parse(tenant: Tenant) -> ParsedBatch:
            body = decode_body(request.body) if decoded is None else decoded
            batch, mentions = parse_segment_body(request, body, key)
            require_own(tenant, mentions)
            sample.calls = batch.batch
            return parse_segment_calls(tenant, batch, event_type=TYPE_OF_PATH.get(request.path), now=now)

        ingest_request = IngestRequest(mentions=list_mentions(request), parse=sample.of(parse), all_or_nothing=True)
        with call_sampler.sampled(sample, now=now):
            tenant, receipt = ingest.ingest_with_key(key, ingest_request, hooks_of(request), now=now)
    count_rejected_calls(receipt.rejected)
    request.logged.update(organization_id=str(tenant.organization_id), credential_id=str(tenant.credential_id))
    log_counts(request, receipt)
    return json_answer(200, {"success": True})


def answer_settings(request: Request) -> Response:
    """Answer the first request of a mobile SDK. An unknown key or inactive organization is 404."""
    key = find_key(request.path.split("/")[2])
    if key is None:
        raise NotFoundError("There is no such project.")
    ingest.require_project(key, list_mentions(request), hooks_of(request), now=datetime.now(UTC))
    return settings_answer(request, key, api_host=settings.api_host)


def hooks_of(request: Request) -> IngestHooks:
    """Return the hooks that record a refusal of *request* and set its rate-limit headers."""
    return IngestHooks(audited=partial(trail.audited, request), on_admission=partial(show_admission, request))


def log_counts(request: Request, receipt: Receipt) -> None:
    """Count the events of a batch by their result, also in the log line of the request."""
    count_events(receipt)
    request.logged.update(accepted=receipt.accepted, held=receipt.held, rejected=len(receipt.rejected))


handler = serve(answer, upgrade_url=settings.upgrade_url)
