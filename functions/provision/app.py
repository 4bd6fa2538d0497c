"""Organizations, for the operator: provision, show, list and change them."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import (
    ConflictError,
    DowngradeBlockedError,
    ErasedError,
    IdempotencyKeyReusedError,
    RatesTooLargeError,
    RequestInProgressError,
    SubdomainTakenError,
    TransitionNotAllowedError,
)
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.organizations import OrganizationAnswer, organization_document, report_unpublished
from tenancy.gateway.documents.provisioning import ProvisionedAnswer, provisioned_document
from tenancy.gateway.idempotency import IdempotencyKey
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, Id, WholeNumber
from tenancy.gateway.resolver import api, operator_of, request_of
from tenancy.gateway.rights import for_operators
from tenancy.gateway.trail import actor_of
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.tiers import Tier
from tenancy.settings import Settings
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.list_organizations import get_organization, list_organization_page
from tenancy.use_cases.organizations.provision import provision_organization
from tenancy.use_cases.organizations.provision_once import provision_once
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "REDIS_PATIENCE_MS",
    "SEALING_KEY_ID",
    "UPGRADE_URL",
    "USAGE_PLANS_PATH",
)
wiring = Wiring(settings)
platform_db, gateway_keys, encryptor = wiring.platform_database, wiring.gateway_keys, wiring.encryptor
targets = OutboxTargets(redis=wiring.publication_redis, gateway_keys=gateway_keys)
app = api()


@app.post("/organizations")
@for_operators
@answers(
    ProvisionedAnswer,
    SubdomainTakenError,
    RequestInProgressError,
    IdempotencyKeyReusedError,
    status=HTTPStatus.CREATED,
)
def provision(new: NewOrganization, idempotency_key: IdempotencyKey = None) -> tuple[dict[str, Any], int]:
    """Provision an organization with its administrator, first app and keys."""
    operator = operator_of(app)
    actor, now = actor_of(request_of(app), operator), datetime.now(UTC)
    if idempotency_key is None:
        provisioned = provision_organization(platform_db, targets, new, actor, now=now)
    else:
        provisioned = provision_once(
            platform_db, targets, encryptor, new, actor, idempotency_key=idempotency_key, now=now
        )
    return provisioned_document(provisioned), HTTPStatus.CREATED


@app.get("/organizations")
@for_operators
@answers(PageAnswer[OrganizationAnswer])
def list_all(
    status: Annotated[OrganizationStatus | None, Query()] = None,
    tier: Annotated[Tier | None, Query()] = None,
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List organizations, newest first."""
    page = list_organization_page(platform_db, status=status, tier=tier, cursor=cursor, limit=limit)
    return page_document(page, organization_document)


@app.get("/organizations/<organization_id>")
@for_operators
@answers(OrganizationAnswer, ErasedError)
def get_one(organization_id: Id) -> dict[str, Any]:
    """Show one organization."""
    return organization_document(get_organization(platform_db, organization_id))


@app.patch("/organizations/<organization_id>")
@for_operators
@answers(
    OrganizationAnswer,
    DowngradeBlockedError,
    TransitionNotAllowedError,
    ConflictError,
    ErasedError,
    RatesTooLargeError,
)
def change(organization_id: Id, change: OrganizationChange) -> dict[str, Any]:
    """Change the name, tier, overrides or status of an organization."""
    operator = operator_of(app)
    actor = actor_of(request_of(app), operator)
    changed = change_organization(
        platform_db, targets, gateway_keys, organization_id, change, actor=actor, now=datetime.now(UTC)
    )
    return organization_document(report_unpublished(changed))


handler = wiring.handler(app, platform_db)
