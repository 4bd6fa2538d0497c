"""Events in: POST /v1/events behind the authorizer, and the Segment SDKs' paths, which bring their key themselves."""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from tenancy.api_keys import find_key
from tenancy.errors import NotFoundError, OrganizationInactiveError, UnauthenticatedError
from tenancy.events.batch import decode_body, parse_batch
from tenancy.events.segment import BATCH_PATHS, TYPE_OF_PATH
from tenancy.gateway.http import Request, Response, json_answer
from tenancy.gateway.mentions import mentions_of
from tenancy.gateway.segment import parse_segment_request, settings_answer
from tenancy.gateway.serve import logger, serve
from tenancy.gateway.trail import Trail
from tenancy.permissions import EVENTS_WRITE
from tenancy.resolution import resolve
from tenancy.settings import Settings
from tenancy.stores.audit_queue import AuditQueue
from tenancy.stores.aws import Aws
from tenancy.stores.queue import EventQueue
from tenancy.tenant import Tenant, require_tenant
from tenancy.use_cases.ingest import Receipt, ingest_batch, ingest_messages

if TYPE_CHECKING:
    from tenancy.use_cases.write_keys import WriteKeys

SETTINGS_ROUTE = "/projects/{writeKey}/settings"

settings = Settings.from_env()
sqs = Aws("sqs", settings.region, settings.aws_endpoint_url)
queue = EventQueue(sqs, settings.events_queue_url)
trail = Trail(AuditQueue(sqs, settings.audit_queue_url))


@cache
def write_keys() -> "WriteKeys":
    """Return the look-up of write keys; its driver is imported only where a Segment path needs it."""
    from tenancy.stores.postgres import Database  # noqa: PLC0415
    from tenancy.stores.secrets import DATABASE, Secrets  # noqa: PLC0415
    from tenancy.use_cases.write_keys import WriteKeys  # noqa: PLC0415

    secrets = Secrets(Aws("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
    return WriteKeys(Database(lambda: secrets.get_secret(DATABASE)))


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
    caller = request.caller()
    with trail.audited(request, caller):
        resolve(caller, mentions_of(request), base_domain=settings.base_domain).require_accepted()
        tenant = require_tenant(caller, EVENTS_WRITE)
        batch = parse_batch(decode_body(request.body))
        receipt = ingest_batch(queue, tenant, batch, now=datetime.now(UTC))
    log(request, tenant, receipt)
    return json_answer(200, receipt)


def take_messages(request: Request) -> Response:
    """Take what a Segment SDK sends; exactly 200, because two SDKs send again on 202 and 204."""
    now = datetime.now(UTC)
    key, batch, mentions = parse_segment_request(request)
    tenant = write_keys().authenticate(key, now=now)
    with trail.audited(request, tenant):
        resolve(tenant, mentions, base_domain=settings.base_domain).require_accepted()
        receipt = ingest_messages(queue, tenant, batch.batch, event_type=TYPE_OF_PATH.get(request.path), now=now)
    log(request, tenant, receipt)
    return json_answer(200, {"success": True})


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
    key = find_key(request.path.split("/")[2])
    if key is None:
        raise NotFoundError("There is no such project.")
    try:
        tenant = write_keys().authenticate(key, now=datetime.now(UTC))
        with trail.audited(request, tenant):
            resolve(tenant, mentions_of(request), base_domain=settings.base_domain).require_accepted()
            tenant.require(EVENTS_WRITE)
    except (UnauthenticatedError, OrganizationInactiveError) as error:
        raise NotFoundError("There is no such project.") from error
    return settings_answer(request, key)


handler = serve(answer)
