"""Requests to POST /v1/events and to the Segment paths."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.tenant import CallerKind, Tenant
from tests.handlers.requests import (
    Event,
    answer_of,
    called_by,
    sample,
    with_body,
    with_path,
)

ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    scopes=frozenset({EVENTS_WRITE}),
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
    kind=CallerKind.KEY,
)
GLOBEX = replace(ACME, organization_id=UUID("0b000000-0000-4000-8000-00000000000b"), subdomain="globex")


def post_events(*events: object, tenant: Tenant = ACME, **members: object) -> Event:
    return called_by(with_body(sample("ingest", "events"), {"events": events, **members}), tenant)


def post_cloud_events(body: object, *, case: str = "cloud_events", tenant: Tenant = ACME) -> Event:
    """Return a request with the mode and path of the sample *case*."""
    return called_by(with_body(sample("ingest", case), body), tenant)


def segment_batch(*calls: object, key: ApiKey | None = None, **members: object) -> Event:
    body = {"batch": calls, "sentAt": datetime.now(UTC).isoformat(), **members}
    return with_body(sample("ingest", "segment_batch"), {**body, "writeKey": key.text} if key else body)


def settings_request(key: str) -> Event:
    path, resource = f"/projects/{key}/settings", "/projects/{writeKey}/settings"
    return {**with_path(sample("ingest", "segment_settings"), path, resource), "pathParameters": {"writeKey": key}}


def is_sdk_success(response: Event) -> bool:
    """Whether an SDK counts the answer as a success. Two SDKs send again on 202 and 204."""
    answer = answer_of(response)
    return (answer.status, answer.document) == (200, {"success": True})
