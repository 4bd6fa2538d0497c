"""Members: invite, list, change and remove them.

The operator lists and disables them, and invites them again.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import (
    ConflictError,
    ErasedError,
    IdempotencyKeyReusedError,
    LastSuperAdminError,
    RequestInProgressError,
    TransitionNotAllowedError,
)
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.members import (
    MemberAnswer,
    MemberPatch,
    NewMember,
    member_document,
    report_unpublished_member,
)
from tenancy.gateway.idempotency import IdempotencyKey
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, Id, WholeNumber
from tenancy.gateway.resolver import api, operator_of, request_of, tenant_of
from tenancy.gateway.rights import for_operators, for_tenants
from tenancy.gateway.trail import actor_of
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.people.member import MembershipChange, MemberStatus
from tenancy.rules.permissions import PERMISSIONS, USERS_READ, USERS_WRITE
from tenancy.settings import Settings
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.change_member import change_member, remove_member
from tenancy.use_cases.people.invite_member import invite_again, invite_member
from tenancy.use_cases.people.list_members import list_member_page
from tenancy.wiring import Wiring

DISABLE = MembershipChange(status=MemberStatus.DISABLED)

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "REDIS_PATIENCE_MS", "SEALING_KEY_ID", "UPGRADE_URL"
)
wiring = Wiring(settings)
platform_db, encryptor = wiring.platform_database, wiring.encryptor
targets = OutboxTargets(redis=wiring.publication_redis)
app = api()


@app.get("/users")
@for_tenants(USERS_READ)
@answers(PageAnswer[MemberAnswer])
def list_own(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the members of the caller's organization, newest first."""
    page = list_member_page(platform_db, tenant_of(app).organization_id, cursor=cursor, limit=limit)
    return page_document(page, member_document)


@app.post("/users")
@for_tenants(USERS_WRITE)
@answers(MemberAnswer, ConflictError, IdempotencyKeyReusedError, RequestInProgressError, status=HTTPStatus.CREATED)
def invite(body: NewMember, idempotency_key: IdempotencyKey = None) -> tuple[dict[str, Any], int]:
    """Invite a member by mail."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    member = invite_member(
        platform_db,
        encryptor,
        tenant.organization_id,
        body.invitation(),
        permissions=tenant.scopes,
        actor=actor_of(request_of(app), tenant),
        idempotency_key=idempotency_key,
        now=now,
    )
    return member_document(member), HTTPStatus.CREATED


@app.patch("/users/<user_id>")
@for_tenants(USERS_WRITE)
@answers(MemberAnswer, ConflictError, LastSuperAdminError)
def change(user_id: Id, body: MemberPatch) -> dict[str, Any]:
    """Change the role of a member, disable it, or make it active again."""
    tenant = tenant_of(app)
    changed = change_member(
        platform_db,
        targets,
        tenant.organization_id,
        user_id,
        body.change(),
        permissions=tenant.scopes,
        actor=actor_of(request_of(app), tenant),
        now=datetime.now(UTC),
    )
    return member_document(report_unpublished_member(changed, tenant.organization_id))


@app.delete("/users/<user_id>")
@for_tenants(USERS_WRITE)
@answers(None, LastSuperAdminError, status=HTTPStatus.NO_CONTENT)
def remove(user_id: Id) -> Response[str]:
    """Remove a member."""
    tenant = tenant_of(app)
    removed = remove_member(
        platform_db,
        targets,
        tenant.organization_id,
        user_id,
        permissions=tenant.scopes,
        actor=actor_of(request_of(app), tenant),
        now=datetime.now(UTC),
    )
    report_unpublished_member(removed, tenant.organization_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.post("/users/<user_id>/invitation")
@for_tenants(USERS_WRITE)
@answers(MemberAnswer, ConflictError)
def send_invitation(user_id: Id) -> dict[str, Any]:
    """Send the invitation of a member again. Its token replaces the earlier one."""
    tenant = tenant_of(app)
    member = invite_again(
        platform_db,
        tenant.organization_id,
        user_id,
        permissions=tenant.scopes,
        actor=actor_of(request_of(app), tenant),
        now=datetime.now(UTC),
    )
    return member_document(member)


@app.get("/organizations/<organization_id>/users")
@for_operators
@answers(PageAnswer[MemberAnswer], ErasedError)
def list_for_operator(
    organization_id: Id,
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the members of an organization, newest first."""
    return page_document(list_member_page(platform_db, organization_id, cursor=cursor, limit=limit), member_document)


@app.delete("/organizations/<organization_id>/users/<user_id>")
@for_operators
@answers(None, LastSuperAdminError, TransitionNotAllowedError, ErasedError, status=HTTPStatus.NO_CONTENT)
def disable_for_operator(organization_id: Id, user_id: Id) -> Response[str]:
    """Disable a member of an organization at once."""
    changed = change_member(
        platform_db,
        targets,
        organization_id,
        user_id,
        DISABLE,
        permissions=PERMISSIONS,
        actor=actor_of(request_of(app), operator_of(app)),
        now=datetime.now(UTC),
    )
    report_unpublished_member(changed, organization_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.post("/organizations/<organization_id>/users/<user_id>/invitation")
@for_operators
@answers(MemberAnswer, ConflictError, TransitionNotAllowedError, ErasedError)
def send_invitation_for_operator(organization_id: Id, user_id: Id) -> dict[str, Any]:
    """Send the invitation of a member again. The operator never sees its token."""
    member = invite_again(
        platform_db,
        organization_id,
        user_id,
        permissions=PERMISSIONS,
        actor=actor_of(request_of(app), operator_of(app)),
        now=datetime.now(UTC),
    )
    return member_document(member)


handler = wiring.handler(app, platform_db)
