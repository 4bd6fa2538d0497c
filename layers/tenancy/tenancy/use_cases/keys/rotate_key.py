"""Rotate a key of an organization: a new key replaces it, at once or after an overlap."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import BODY, FieldError, InvalidError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import MIN_OWN_OVERLAP
from tenancy.rules.keys.api_keys import generate_key
from tenancy.rules.keys.managed_keys import ManagedKey, NewKey, Rotation, due_after, require_grantable
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.api_keys import find_api_key, insert_new_api_key, lock_api_key, replace_api_key
from tenancy.stores.postgres.apps import lock_app
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import find_key_rotation
from tenancy.use_cases.homes.claim_values import claim_key
from tenancy.use_cases.idempotency.answer_once import RepeatableRequest, answer_once
from tenancy.use_cases.keys.create_key import require_room
from tenancy.use_cases.keys.publish_keys import (
    Publications,
    Published,
    enqueue_ended_keys,
    publish_again,
    publish_keys,
)
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.outbox.run_entries import OutboxTargets

KEY_ROTATED: Final = "key.rotated"
ROTATE_KEY: Final = "rotate key"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRotation:
    """The key to rotate, and the time for which it still works beside the new one."""

    key_id: UUID
    overlap: timedelta


def rotate_key(
    platform_db: Homes,
    targets: OutboxTargets,
    encryptor: Encryptor,
    tenant: Tenant,
    wanted: WantedRotation,
    actor: Actor,
    *,
    idempotency_key: str | None,
    now: datetime,
) -> Published[Rotation]:
    """Replace a key by a new one with the same type, name, app, scopes and end.

    The old key ends after the overlap, and never later than at its own end. Without an overlap it is revoked. That
    applies at its next request. A repeated request publishes the end again.

    Raises:
        InvalidError: a key rotates itself with a shorter overlap than a minute.
        NotFoundError: the organization has no such key.
        ConflictError: the key is revoked, expired or rotated, or the organization has too many live keys.
        ForbiddenError: the key has a permission that *tenant* lacks.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        IdempotencyKeyReusedError, RequestInProgressError, UnavailableError: as for `answer_once`.
    """
    organization_id, key_id = tenant.organization_id, wanted.key_id

    def prepare() -> Rotation:
        with platform_db.tenant_transaction(organization_id) as conn:
            old = _require(find_api_key(conn, organization_id, key_id), tenant, now)
            rotate_by = due_after(find_key_rotation(conn, organization_id), now)
        require_own_overlap(actor, key_id, wanted.overlap)
        rotation = _prepare(old, wanted.overlap, rotate_by, now=now)
        claim_key(platform_db, organization_id, rotation.new.key, now=now)
        return rotation

    def commit(conn: Connection, rotation: Rotation) -> Publications:
        new, ends_at = rotation.new, rotation.old_ends_at
        require_changeable(conn, organization_id)
        if new.app_id is not None:  # first, as the deletion of an app does: the same order prevents deadlocks
            lock_app(conn, organization_id, new.app_id)
        _require(lock_api_key(conn, organization_id, key_id), tenant, now)
        if ends_at > now:
            require_room(conn, organization_id, now=now)
        insert_new_api_key(conn, organization_id, new)
        replace_api_key(conn, organization_id, key_id, successor_id=new.id, ends_at=ends_at, now=now)
        record = AuditRecord.done(KEY_ROTATED, f"{key_id} to {new.id}", actor, now=now)
        insert_audit_record(conn, organization_id, record)
        return enqueue_ended_keys(conn, organization_id, [key_id], ends_at=ends_at, now=now)

    request = RepeatableRequest.of(organization_id, actor.id, idempotency_key, ROTATE_KEY, wanted)
    answered = answer_once(platform_db, encryptor, request, Rotation, prepare, commit, now=now)
    if answered.effects is None:
        ends_at = answered.answer.old_ends_at
        is_published = publish_again(platform_db, targets, organization_id, key_id, ends_at=ends_at, now=now)
    else:
        is_published = publish_keys(platform_db, targets, answered.effects, now=now)
    # A repeated request: the role of its member may have changed.
    require_grantable(answered.answer.new.scopes, tenant.scopes)
    return Published(result=answered.answer, is_published=is_published)


def require_own_overlap(actor: Actor, key_id: UUID, overlap: timedelta) -> None:
    """Require that a key that rotates itself still works for a minute.

    The answer may be lost. Then only the old key can repeat the request and get the new key.

    Raises:
        InvalidError: the overlap is shorter.
    """
    if actor.id != key_id or overlap >= MIN_OWN_OVERLAP:
        return
    least = int(MIN_OWN_OVERLAP.total_seconds())
    text = f"A key that rotates itself needs at least {least} seconds, so that it can ask again if the answer is lost."
    errors = [FieldError(location=f"{BODY}/overlap_seconds", code="out_of_range", message=text)]
    raise InvalidError("The overlap is too short.", errors=errors)


def _require(key: ManagedKey | None, tenant: Tenant, now: datetime) -> ManagedKey:
    if key is None:
        raise NotFoundError("There is no such key.")
    key.require_rotatable(now)
    require_grantable(key.scopes, tenant.scopes)
    return key


def _prepare(old: ManagedKey, overlap: timedelta, rotate_by: datetime | None, *, now: datetime) -> Rotation:
    new = NewKey(
        id=uuid4(),
        key=generate_key(old.kind.type),
        name=old.name,
        app_id=old.app_id,
        scopes=old.scopes,
        created_at=now,
        expires_at=old.expires_at,
        rotate_by=rotate_by,
    )
    return Rotation(new=new, old_id=old.id, old_ends_at=old.end_of_overlap(overlap, now=now))
