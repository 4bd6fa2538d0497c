"""Events in: POST /v1/events behind the authorizer, and the Segment SDKs' paths, which bring their key themselves."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from tenancy.errors import NotFoundError, OrganizationInactiveError, Refusal, UnauthenticatedError
from tenancy.gateway.admission_gate import AdmissionGate
from tenancy.gateway.documents.segment import parse_segment_request, settings_answer
from tenancy.gateway.http import Request, Response, json_answer
from tenancy.gateway.mentions import list_mentions
from tenancy.gateway.serve import logger, serve
from tenancy.gateway.trail import AuditTrail
from tenancy.rules.api_keys import find_key
from tenancy.rules.events.batch import decode_body, parse_batch
from tenancy.rules.events.segment import BATCH_PATHS, TYPE_OF_PATH
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.resolution import Mention, resolve
from tenancy.rules.tenant import Caller, Tenant, require_tenant
from tenancy.settings import Settings
from tenancy.stores.aws.audit_queue import AuditQueue
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.stores.aws.secrets import DATABASE, REDIS, Secrets
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.ingest.ingest import (
    ParsedBatch,
    Receipt,
    enqueue_events,
    parse_event_batch,
    parse_segment_calls,
    require_room,
)

if TYPE_CHECKING:
    from tenancy.stores.postgres.client import Database
    from tenancy.use_cases.keys.write_keys import WriteKeys

SETTINGS_ROUTE = "/projects/{writeKey}/settings"

settings = Settings.from_env()
sqs = AwsClient("sqs", settings.region, settings.aws_endpoint_url)
queue = EventQueue(sqs, settings.events_queue_url)
trail = AuditTrail(AuditQueue(sqs, settings.audit_queue_url))
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)


@cache
def database() -> "Database":
    """Return the database; its driver is imported only where a request needs it."""
    from tenancy.stores.postgres.client import Database  # noqa: PLC0415

    return Database(lambda: secrets.get_secret(DATABASE))


@cache
def write_keys() -> "WriteKeys":
    """Return the look-up of write keys, for the paths without an authorizer."""
    from tenancy.use_cases.keys.write_keys import WriteKeys  # noqa: PLC0415

    return WriteKeys(database())


redis = Redis(lambda: secrets.get_secret(REDIS), timeout_seconds=settings.redis_timeout_seconds)
gate = AdmissionGate(redis, database)


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request; the template lets no other route through."""
    match request.method, request.path:
        case "POST", "/events":
            return take_events(request)
        case "POST", path if path in BATCH_PATHS or path in TYPE_OF_PATH:
            return take_messages(request)
        case "GET", _ if request.route == SETTINGS_ROUTE:
            return give_settings(request)
    raise NotFoundError("There is no such route.")


def take_events(request: Request) -> Response:
    """Take a batch in our own form."""
    now = datetime.now(UTC)

    def read(tenant: Tenant) -> ParsedBatch:
        return parse_event_batch(tenant, parse_batch(decode_body(request.body)), now=now)

    receipt = ingest(request, request.caller(), list_mentions(request), read, all_or_nothing=False, now=now)
    return json_answer(200, receipt)


def take_messages(request: Request) -> Response:
    """Take what a Segment SDK sends; exactly 200, because two SDKs send again on 202 and 204."""
    now = datetime.now(UTC)
    key, batch, mentions = parse_segment_request(request)

    def read(tenant: Tenant) -> ParsedBatch:
        return parse_segment_calls(tenant, batch.batch, event_type=TYPE_OF_PATH.get(request.path), now=now)

    ingest(request, write_keys().authenticate(key, now=now), mentions, read, all_or_nothing=True, now=now)
    return json_answer(200, {"success": True})


def ingest(
    request: Request,
    caller: Caller,
    mentions: tuple[Mention, ...],
    read: Callable[[Tenant], ParsedBatch],
    *,
    all_or_nothing: bool,
    now: datetime,
) -> Receipt:
    """Take what is in a request, as far as it is admitted; one that is wrong is counted like every other."""
    with trail.audited(request, caller):
        try:
            resolve(caller, mentions, base_domain=settings.base_domain).require_accepted()
            tenant = require_tenant(caller, EVENTS_WRITE)
            reading = read(tenant)
        except Refusal:
            gate.admit(request, caller, all_or_nothing=all_or_nothing, now=now)
            raise
        admission = gate.reserve(request, tenant, events=len(reading.counted), all_or_nothing=all_or_nothing, now=now)
        require_room(admission, reading, all_or_nothing=all_or_nothing)
        receipt = enqueue_events(
            queue, tenant, reading, admission, lambda: gate.give_back(tenant, admission, reserved_at=now)
        )
    log(request, tenant, receipt)
    return receipt


def log(request: Request, tenant: Tenant, receipt: Receipt) -> None:
    """Log what became of a batch; the answer to a Segment SDK does not say it."""
    logger.info(
        "ingested",
        request_id=request.request_id,
        organization_id=str(tenant.organization_id),
        credential_id=str(tenant.credential_id),
        accepted=receipt.accepted,
        held=receipt.held,
        rejected=len(receipt.rejected),
    )


def give_settings(request: Request) -> Response:
    """Answer a mobile SDK's first question; a key that is unknown, or of an inactive organization, is not there."""
    now = datetime.now(UTC)
    key = find_key(request.path.split("/")[2])
    if key is None:
        raise NotFoundError("There is no such project.")
    try:
        tenant = write_keys().authenticate(key, now=now)
        with trail.audited(request, tenant):
            gate.admit(request, tenant, all_or_nothing=True, now=now)
            resolve(tenant, list_mentions(request), base_domain=settings.base_domain).require_accepted()
            tenant.require(EVENTS_WRITE)
    except (UnauthenticatedError, OrganizationInactiveError) as error:
        raise NotFoundError("There is no such project.") from error
    return settings_answer(request, key)


handler = serve(answer)
