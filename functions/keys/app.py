"""Apps, keys and platform keys: create, change, rotate, revoke and list them."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import (
    ConflictError,
    ErasedError,
    IdempotencyKeyReusedError,
    RequestInProgressError,
    TransitionNotAllowedError,
)
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.apps import AppChange, NewApp, OwnAppAnswer, app_document
from tenancy.gateway.documents.key_bodies import NewKeyBody, NewPlatformKeyBody, OwnOrganizationChange, RotationBody
from tenancy.gateway.documents.keys import (
    KeyAnswer,
    NewKeyAnswer,
    NewPlatformKeyAnswer,
    PlatformKeyAnswer,
    RotatedKeyAnswer,
    RotatedPlatformKeyAnswer,
    key_document,
    new_key_document,
    new_platform_key_document,
    platform_key_document,
    replaced_document,
)
from tenancy.gateway.documents.own_organization import OwnOrganizationAnswer, own_organization_document
from tenancy.gateway.idempotency import IdempotencyKey
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, Id, WholeNumber
from tenancy.gateway.publications import report_publication
from tenancy.gateway.resolver import api, operator_of, request_of, tenant_of
from tenancy.gateway.rights import for_operators, for_tenants
from tenancy.gateway.trail import actor_of
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.permissions import APPS_READ, APPS_WRITE, KEYS_READ, KEYS_WRITE
from tenancy.settings import Settings
from tenancy.use_cases.apps.change_app import change_app
from tenancy.use_cases.apps.create_app import create_app
from tenancy.use_cases.apps.delete_app import delete_app
from tenancy.use_cases.apps.list_apps import list_app_page
from tenancy.use_cases.keys.create_key import create_key
from tenancy.use_cases.keys.list_keys import list_key_page
from tenancy.use_cases.keys.platform_keys import (
    create_platform_key,
    list_platform_key_page,
    revoke_key_of_platform,
    rotate_platform_key,
)
from tenancy.use_cases.keys.revoke_key import revoke_key
from tenancy.use_cases.keys.rotate_key import WantedRotation, rotate_key
from tenancy.use_cases.organizations.change_key_rotation import change_key_rotation
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "REDIS_PATIENCE_MS",
    "REGISTER_BUCKET",
    "SEALING_KEY_ID",
    "UPGRADE_URL",
)
wiring = Wiring(settings)
platform_db, encryptor, register = wiring.platform_database, wiring.encryptor, wiring.register
targets = OutboxTargets(redis=wiring.publication_redis, register=register)
app = api()


@app.get("/apps")
@for_tenants(APPS_READ)
@answers(PageAnswer[OwnAppAnswer])
def list_apps(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the organization's apps, newest first."""
    return page_document(list_app_page(platform_db, tenant_of(app), cursor=cursor, limit=limit), app_document)


@app.post("/apps")
@for_tenants(APPS_WRITE)
@answers(OwnAppAnswer, IdempotencyKeyReusedError, RequestInProgressError, status=HTTPStatus.CREATED)
def create(new: NewApp, idempotency_key: IdempotencyKey = None) -> tuple[dict[str, Any], int]:
    """Create an app within the organization's limit."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    created = create_app(
        platform_db,
        encryptor,
        tenant,
        actor_of(request_of(app), tenant),
        name=new.name,
        platform=new.platform,
        idempotency_key=idempotency_key,
        now=now,
    )
    return app_document(created), HTTPStatus.CREATED


@app.patch("/apps/<app_id>")
@for_tenants(APPS_WRITE)
@answers(OwnAppAnswer)
def change(app_id: Id, change: AppChange) -> dict[str, Any]:
    """Change the name or the platform of an app."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    actor = actor_of(request_of(app), tenant)
    changed = change_app(platform_db, tenant, app_id, actor, name=change.name, platform=change.platform, now=now)
    return app_document(changed)


@app.delete("/apps/<app_id>")
@for_tenants(APPS_WRITE)
@answers(None, status=HTTPStatus.NO_CONTENT)
def delete(app_id: Id) -> Response[str]:
    """Delete an app and revoke its keys."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    is_published = delete_app(platform_db, targets, tenant, app_id, actor_of(request_of(app), tenant), now=now)
    report_publication(tenant.organization_id, is_published=is_published)
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.get("/keys")
@for_tenants(KEYS_READ)
@answers(PageAnswer[KeyAnswer])
def list_keys(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the organization's keys in any state, newest first, without their texts."""
    listed = list_key_page(platform_db, tenant_of(app).organization_id, cursor=cursor, limit=limit)
    document_of = partial(key_document, rotation_days=listed.rotation_days, now=datetime.now(UTC))
    return page_document(listed.page, document_of)


@app.post("/keys")
@for_tenants(KEYS_WRITE)
@answers(NewKeyAnswer, ConflictError, IdempotencyKeyReusedError, RequestInProgressError, status=HTTPStatus.CREATED)
def create_own_key(new: NewKeyBody, idempotency_key: IdempotencyKey = None) -> tuple[dict[str, Any], int]:
    """Create a key, and show its text once."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    actor = actor_of(request_of(app), tenant)
    created = create_key(
        platform_db, encryptor, tenant, new.wanted_key(), actor, idempotency_key=idempotency_key, now=now
    )
    return new_key_document(created), HTTPStatus.CREATED


@app.post("/keys/<key_id>/rotate")
@for_tenants(KEYS_WRITE)
@answers(RotatedKeyAnswer, ConflictError, IdempotencyKeyReusedError, RequestInProgressError, status=HTTPStatus.CREATED)
def rotate(
    key_id: Id, body: RotationBody | None = None, idempotency_key: IdempotencyKey = None
) -> tuple[dict[str, Any], int]:
    """Replace a key by a new one, at once or after an overlap."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    rotated = rotate_key(
        platform_db,
        targets,
        encryptor,
        tenant,
        WantedRotation(key_id=key_id, overlap=(body or RotationBody()).overlap),
        actor_of(request_of(app), tenant),
        idempotency_key=idempotency_key,
        now=now,
    )
    report_publication(tenant.organization_id, is_published=rotated.is_published)
    rotation = rotated.result
    return {**new_key_document(rotation.new), **replaced_document(rotation)}, HTTPStatus.CREATED


@app.delete("/keys/<key_id>")
@for_tenants(KEYS_WRITE)
@answers(None, status=HTTPStatus.NO_CONTENT)
def revoke(key_id: Id) -> Response[str]:
    """Revoke a key."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    organization_id = tenant.organization_id
    is_published = revoke_key(platform_db, targets, organization_id, key_id, actor_of(request_of(app), tenant), now=now)
    report_publication(organization_id, is_published=is_published)
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.patch("/organizations/current")
@for_tenants(KEYS_WRITE)
@answers(OwnOrganizationAnswer)
def change_own_organization(change: OwnOrganizationChange) -> dict[str, Any]:
    """Change the days after which the organization's keys are to be rotated."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    actor = actor_of(request_of(app), tenant)
    own = change_key_rotation(platform_db, tenant, change.key_rotation_days, actor, now=now)
    return own_organization_document(own, upgrade_url=settings.upgrade_url)


@app.get("/organizations/<organization_id>/keys")
@for_operators
@answers(PageAnswer[KeyAnswer], ErasedError)
def list_keys_of_one(
    organization_id: Id,
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the keys of one organization for the operator."""
    listed = list_key_page(platform_db, organization_id, cursor=cursor, limit=limit)
    document_of = partial(key_document, rotation_days=listed.rotation_days, now=datetime.now(UTC))
    return page_document(listed.page, document_of)


@app.delete("/organizations/<organization_id>/keys/<key_id>")
@for_operators
@answers(None, TransitionNotAllowedError, ErasedError, status=HTTPStatus.NO_CONTENT)
def revoke_key_of_one(organization_id: Id, key_id: Id) -> Response[str]:
    """Revoke a key of one organization for the operator."""
    actor = actor_of(request_of(app), operator_of(app))
    is_published = revoke_key(platform_db, targets, organization_id, key_id, actor, now=datetime.now(UTC))
    report_publication(organization_id, is_published=is_published)
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.get("/platform-keys")
@for_operators
@answers(PageAnswer[PlatformKeyAnswer])
def list_platform_keys(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the platform keys in any state, newest first, without their texts."""
    page = list_platform_key_page(platform_db, cursor=cursor, limit=limit)
    return page_document(page, partial(platform_key_document, now=datetime.now(UTC)))


@app.post("/platform-keys")
@for_operators
@answers(
    NewPlatformKeyAnswer, ConflictError, IdempotencyKeyReusedError, RequestInProgressError, status=HTTPStatus.CREATED
)
def create_key_of_platform(
    new: NewPlatformKeyBody, idempotency_key: IdempotencyKey = None
) -> tuple[dict[str, Any], int]:
    """Create a platform key, and show its text once."""
    actor = actor_of(request_of(app), operator_of(app))
    created = create_platform_key(
        platform_db,
        encryptor,
        new.name,
        new.end(),
        actor,
        idempotency_key=idempotency_key,
        now=datetime.now(UTC),
    )
    return new_platform_key_document(created), HTTPStatus.CREATED


@app.post("/platform-keys/<platform_key_id>/rotate")
@for_operators
@answers(
    RotatedPlatformKeyAnswer,
    ConflictError,
    IdempotencyKeyReusedError,
    RequestInProgressError,
    status=HTTPStatus.CREATED,
)
def rotate_key_of_platform(
    platform_key_id: Id, body: RotationBody | None = None, idempotency_key: IdempotencyKey = None
) -> tuple[dict[str, Any], int]:
    """Replace a platform key by a new one, at once or after an overlap."""
    rotation = rotate_platform_key(
        platform_db,
        encryptor,
        register,
        platform_key_id,
        (body or RotationBody()).overlap,
        actor_of(request_of(app), operator_of(app)),
        idempotency_key=idempotency_key,
        now=datetime.now(UTC),
    )
    return {**new_platform_key_document(rotation.new), **replaced_document(rotation)}, HTTPStatus.CREATED


@app.delete("/platform-keys/<platform_key_id>")
@for_operators
@answers(None, ConflictError, status=HTTPStatus.NO_CONTENT)
def revoke_platform_key(platform_key_id: Id) -> Response[str]:
    """Revoke a platform key."""
    actor = actor_of(request_of(app), operator_of(app))
    revoke_key_of_platform(platform_db, register, platform_key_id, actor, now=datetime.now(UTC))
    return Response(HTTPStatus.NO_CONTENT, body="")


handler = wiring.handler(app, platform_db)
