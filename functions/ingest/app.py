"""Events in: POST /v1/events behind the authorizer, and the Segment SDKs' paths, which authenticate themselves."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from tenancy.errors import NotFoundError, OrganizationInactiveError, UnauthenticatedError
from tenancy.gateway.admission import show_admission
from tenancy.gateway.documents.segment import parse_segment_request, settings_answer
from tenancy.gateway.http import Request, Response, json_answer
from tenancy.gateway.mentions import list_mentions
from tenancy.gateway.serve import logger, serve
from tenancy.rules.api_keys import find_key
from tenancy.rules.events.batch import decode_body, parse_batch
from tenancy.rules.events.segment import BATCH_PATHS, TYPE_OF_PATH
from tenancy.rules.tenant import Tenant
from tenancy.settings import Settings
from tenancy.use_cases.ingest.ingest_events import Ingest, IngestRequest, Receipt
from tenancy.use_cases.ingest.parse_batch import ParsedBatch, parse_event_batch, parse_segment_calls
from tenancy.wiring import Wiring

SETTINGS_ROUTE = "/projects/{writeKey}/settings"

settings = Settings.from_env("AUDIT_QUEUE_URL", "BASE_DOMAIN", "EVENTS_QUEUE_URL", "REDIS_PATIENCE_MS")
wiring = Wiring(settings)
trail = wiring.trail
ingest = Ingest(wiring.gate(lambda: wiring.database), wiring.event_queue, base_domain=settings.base_domain)


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request. The template lets no other route through."""
    match request.method, request.path:
        case "POST", "/events":
            return take_events(request)
        case "POST", path if path in BATCH_PATHS or path in TYPE_OF_PATH:
            return take_messages(request)
        case "GET", _ if request.route == SETTINGS_ROUTE:
            return give_settings(request)
    raise NotFoundError("There is no such route.")


def take_events(request: Request) -> Response:
    """Take the events of POST /v1/events."""
    now = datetime.now(UTC)

    def parse(tenant: Tenant) -> ParsedBatch:
        return parse_event_batch(tenant, parse_batch(decode_body(request.body)), now=now)

    asked = IngestRequest(caller=request.caller(), mentions=list_mentions(request), parse=parse, all_or_nothing=False)
    return json_answer(200, take(request, asked, now))


def take_messages(request: Request) -> Response:
    """Take the calls of a Segment SDK. The answer is exactly 200, because two SDKs send again on 202 and 204."""
    now = datetime.now(UTC)
    key, batch, mentions = parse_segment_request(request)

    def parse(tenant: Tenant) -> ParsedBatch:
        return parse_segment_calls(tenant, batch.batch, event_type=TYPE_OF_PATH.get(request.path), now=now)

    tenant = wiring.write_keys.authenticate(key, now=now)
    take(request, IngestRequest(caller=tenant, mentions=mentions, parse=parse, all_or_nothing=True), now)
    return json_answer(200, {"success": True})


def take(request: Request, asked: IngestRequest, now: datetime) -> Receipt:
    """Ingest the events, record a refusal, and log what became of the batch."""
    with trail.audited(request, asked.caller):
        tenant, receipt = ingest.ingest(asked, on_admission=partial(show_admission, request), now=now)
    logger.info(
        "ingested",
        request_id=request.request_id,
        organization_id=str(tenant.organization_id),
        credential_id=str(tenant.credential_id),
        accepted=receipt.accepted,
        held=receipt.held,
        rejected=len(receipt.rejected),
    )
    return receipt


def give_settings(request: Request) -> Response:
    """Answer the first request of a mobile SDK. An unknown key or inactive organization is 404."""
    now = datetime.now(UTC)
    key = find_key(request.path.split("/")[2])
    if key is None:
        raise NotFoundError("There is no such project.")
    try:
        tenant = wiring.write_keys.authenticate(key, now=now)
        with trail.audited(request, tenant):
            on_admission = partial(show_admission, request)
            ingest.require_project(tenant, list_mentions(request), on_admission=on_admission, now=now)
    except (UnauthenticatedError, OrganizationInactiveError) as error:
        raise NotFoundError("There is no such project.") from error
    return settings_answer(request, key)


handler = serve(answer)
