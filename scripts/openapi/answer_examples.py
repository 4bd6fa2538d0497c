"""Examples of answers that docs/api.md does not show as a whole, made by the code that answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from scripts.openapi.report_examples import find_report_examples
from scripts.openapi.routes import DeployedRoute
from tenancy.gateway.console_files import MEDIA_TYPES
from tenancy.gateway.documents.audit import CSV, AuditQuery, entries_answer
from tenancy.gateway.documents.branding import stored_document
from tenancy.gateway.documents.deletions import certificates_document
from tenancy.gateway.documents.me import me_document
from tenancy.gateway.documents.sso import service_provider
from tenancy.gateway.documents.traced_events import trace_document
from tenancy.rules.audit_chain import AuditEntry
from tenancy.rules.branding.branding import Branding
from tenancy.rules.branding.sender import SenderState
from tenancy.rules.cursors import Page
from tenancy.rules.deletion import Certificate, Deletion, ErasureCount, certificate_text
from tenancy.rules.durations import ACCESS_TOKEN_LIFE
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.people.opaque_tokens import TokenType
from tenancy.rules.people.sessions import SessionMember
from tenancy.rules.saml.request import METADATA_TYPE, service_metadata
from tenancy.rules.tiers import Tier
from tenancy.rules.traced_events import EventState, FoundEvent, Trace, TracedEvent, TracedId
from tenancy.use_cases.branding.change_branding import StoredBranding
from tenancy.use_cases.deletion.read_certificate import Certificates

JSON: Final = "application/json"
NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORGANIZATION_ID: Final = UUID("0d5cba04-b25b-4dc4-a4fc-f23bd9d7f5fb")
OTHER_ID: Final = UUID("85d6ad4a-83d8-4085-8535-3ddddda605b4")
STATIC_FILES: Final = {
    MEDIA_TYPES[".css"]: "body { margin: 0; }",
    MEDIA_TYPES[".html"]: "<!doctype html><title>Console</title>",
    MEDIA_TYPES[".js"]: 'export const page = { title: "Usage" };',
    MEDIA_TYPES[".svg"]: '<svg xmlns="http://www.w3.org/2000/svg"/>',
    MEDIA_TYPES[".txt"]: "The MIT License (MIT)",
}
COUNT: Final = ErasureCount(left={"clickhouse": {"daily_statistics": 0, "events": 0, "held_events": 0}}, found={})


def find_examples(route: DeployedRoute) -> Mapping[str, Any]:  # noqa: PLR0911 - one for each route
    """Return the examples of the answer of *route* by media type."""
    match str(route):
        case "GET /audit" | "GET /organizations/{organization_id}/audit":
            return {CSV: make_csv()}
        case "GET /organizations/{organization_id}/deletion-certificate":
            return {JSON: make_certificates()}
        case "GET /compliance/report" | "GET /organizations/{organization_id}/compliance/report":
            return find_report_examples(route.path)
        case "POST /events/trace":
            return {JSON: make_trace()}
        case "POST /auth/token" | "POST /auth/refresh" | "POST /users/accept":
            return {JSON: make_tokens()}
        case "GET /auth/sso/metadata":
            return {METADATA_TYPE: make_service_metadata()}
        case "GET /console" | "GET /console/{file}":
            return STATIC_FILES
        case "GET /branding/settings":
            return {JSON: make_stored_branding()}
        case "PATCH /me":
            return {JSON: make_member()}
    return {}


def make_trace() -> dict[str, Any]:
    """Return the answer for a stored event and an unknown one."""
    found = FoundEvent(device_id="device-1", event_timestamp=NOON, received_at=NOON + timedelta(milliseconds=412))
    events = [
        TracedEvent(asked=TracedId(event_id="order-1"), state=EventState.STORED, found=found),
        TracedEvent(asked=TracedId(event_id="order-2"), state=EventState.UNKNOWN, found=None),
    ]
    return trace_document(Trace(events=events, queue_age_seconds=1, last_stored_at=NOON + timedelta(seconds=1)))


def make_tokens() -> dict[str, Any]:
    """Return the tokens of a session, none of which is valid."""
    refresh_token = f"{TokenType.REFRESH}_{ORGANIZATION_ID.hex}{'0' * 49}"
    return {
        "access_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": int(ACCESS_TOKEN_LIFE.total_seconds()),
        "refresh_token": refresh_token,
    }


def make_member() -> dict[str, Any]:
    """Return the answer for a member that has a name."""
    return me_document(
        SessionMember(
            organization_id=ORGANIZATION_ID,
            organization_name="Acme",
            subdomain="acme",
            tier=Tier.STARTER,
            organization_status=OrganizationStatus.ACTIVE,
            organization_epoch=0,
            user_id=OTHER_ID,
            email="admin@acme.example",
            name="Ada Admin",
            role="super_admin",
            status="active",
            epoch=0,
            password_hash=None,
        )
    )


def make_service_metadata() -> str:
    """Return the metadata of the platform for the SAML provider of an organization."""
    return service_metadata(service_provider("https://api.example.com/v1", ORGANIZATION_ID)).decode()


def make_stored_branding() -> dict[str, Any]:
    """Return a branding that a change of the tier has hidden."""
    branding = Branding(primary_color="#7c3aed", css_variables={"--border-radius": "8px"}, sender_name="Acme Analytics")
    stored = StoredBranding(branding=branding, is_included=False, sender_state=SenderState.NOT_SET)
    return stored_document(stored, ORGANIZATION_ID, api_url="https://api.example.com/v1")


def make_csv() -> str:
    """Return a page of an audit log as CSV."""
    entry = AuditEntry(
        id=OTHER_ID,
        organization_id=ORGANIZATION_ID,
        occurred_at=NOON,
        actor_kind="operator",
        actor_id=OTHER_ID,
        action="organization.tier_changed",
        target="starter to growth",
        outcome="done",
        code="",
        count=1,
        request_id="8577ffe4-919f-47e6-9b1e-80abcfa18cf3",
        personal_digest=b"",
        salt=None,
        source_address=None,
        sequence=1,
        seal=bytes(32),
    )
    page = Page(rows=[entry], has_more=False, cursor_after=lambda _: "")
    _, _, body = entries_answer(page, AuditQuery(format="csv"))
    return body


def make_certificates() -> dict[str, Any]:
    """Return the certificate of an erasure, and one later count of it."""
    certificates = [make_certificate(NOON), make_certificate(NOON + timedelta(days=7))]
    return certificates_document(
        Certificates(certificates=certificates, are_valid=True, signing_key="alias/tenancy-signing")
    )


def make_certificate(counted_at: datetime) -> Certificate:
    """Return a certificate of the counts at *counted_at*. Its signature is made up."""
    deletion = Deletion(
        organization_id=ORGANIZATION_ID,
        generation=1,
        deleted_at=NOON - timedelta(days=30),
        purge_at=NOON,
        tombstone_at=NOON,
        erased_at=NOON,
    )
    return Certificate(
        id=OTHER_ID,
        organization_id=ORGANIZATION_ID,
        generation=deletion.generation,
        issued_at=counted_at,
        text=certificate_text(deletion, COUNT, erased_at=NOON, counted_at=counted_at),
        signature=bytes(64),
    )
