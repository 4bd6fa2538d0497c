"""Create, rotate, revoke and list the platform keys of operators.

At every moment there is a platform key that is not revoked and has no end, so operators cannot lock themselves out.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import PLATFORM_LOG, Actor, AuditRecord
from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.keys.managed_keys import MAX_LIVE_PLATFORM_KEYS, KeyLife, NewKey, Rotation
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.register import Register
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.platform_keys import (
    count_live_platform_keys,
    find_managed_platform_key,
    has_other_endless_key,
    insert_new_platform_key,
    list_platform_keys,
    lock_platform_keys,
    replace_platform_key,
    revoke_platform_key,
)
from tenancy.use_cases.idempotency.answer_once import RepeatableRequest, answer_once
from tenancy.use_cases.keys.create_key import require_end
from tenancy.use_cases.keys.register_platform_keys import register_ended_key
from tenancy.use_cases.keys.rotate_key import require_own_overlap

PLATFORM_KEY_CREATED: Final = "platform_key.created"
PLATFORM_KEY_ROTATED: Final = "platform_key.rotated"
PLATFORM_KEY_REVOKED: Final = "platform_key.revoked"


def list_platform_key_page(platform_db: Homes, *, cursor: str | None, limit: int) -> Page[KeyLife]:
    """Return at most *limit* platform keys in any state after *cursor*, newest first.

    Raises:
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="platform keys", organization_id=PLATFORM_LOG, position=TimePosition)
    before = listed.find_position(cursor)
    with platform_db.catalogue.transaction() as conn:
        keys = list_platform_keys(conn, before=before, limit=limit + 1)
    return Page.of(keys, limit, lambda each: listed.format_cursor(TimePosition.of(each.created_at, each.id)))


def create_platform_key(
    platform_db: Homes,
    encryptor: Encryptor,
    name: str,
    expires_at: datetime | None,
    actor: Actor,
    *,
    idempotency_key: str | None,
    now: datetime,
) -> NewKey:
    """Create a platform key, and return it with its text.

    Raises:
        InvalidError: the end is not in the next ten years.
        ConflictError: there are `MAX_LIVE_PLATFORM_KEYS` live keys.
        IdempotencyKeyReusedError, RequestInProgressError, UnavailableError: as for `answer_once`.
    """

    def prepare() -> NewKey:
        require_end(expires_at, now=now)
        return _new_key(name, expires_at, now=now)

    def commit(conn: Connection, new: NewKey) -> None:
        lock_platform_keys(conn)
        _require_room(conn, now=now)
        insert_new_platform_key(conn, new)
        insert_audit_record(conn, PLATFORM_LOG, AuditRecord.done(PLATFORM_KEY_CREATED, str(new.id), actor, now=now))

    values = [name, expires_at]
    request = RepeatableRequest.of(PLATFORM_LOG, actor.id, idempotency_key, "create platform key", values)
    return answer_once(platform_db, encryptor, request, NewKey, prepare, commit, now=now).answer


def rotate_platform_key(
    platform_db: Homes,
    encryptor: Encryptor,
    register: Register,
    key_id: UUID,
    overlap: timedelta,
    actor: Actor,
    *,
    idempotency_key: str | None,
    now: datetime,
) -> Rotation:
    """Replace a platform key by a new one with the same name and end.

    The old key ends after *overlap*, and never later than at its own end. Without an overlap it is revoked. A platform
    key is looked up at each request, so its end needs no publication.

    Raises:
        InvalidError: a key rotates itself with a shorter overlap than a minute.
        NotFoundError: there is no such key.
        ConflictError: the key is revoked, expired or rotated, or there are too many live keys.
        IdempotencyKeyReusedError, RequestInProgressError, UnavailableError: as for `answer_once`.
    """

    def prepare() -> Rotation:
        with platform_db.catalogue.transaction() as conn:
            old = _get_rotatable(conn, key_id, now=now)
        require_own_overlap(actor, key_id, overlap)
        new = _new_key(old.name, old.expires_at, now=now)
        return Rotation(new=new, old_id=key_id, old_ends_at=old.end_of_overlap(overlap, now=now))

    def commit(conn: Connection, rotation: Rotation) -> None:
        new, ends_at = rotation.new, rotation.old_ends_at
        lock_platform_keys(conn)
        _get_rotatable(conn, key_id, now=now)
        if ends_at > now:
            _require_room(conn, now=now)
        insert_new_platform_key(conn, new)
        replace_platform_key(conn, key_id, successor_id=new.id, ends_at=ends_at, now=now)
        record = AuditRecord.done(PLATFORM_KEY_ROTATED, f"{key_id} to {new.id}", actor, now=now)
        insert_audit_record(conn, PLATFORM_LOG, record)

    values = [key_id, overlap.total_seconds()]
    request = RepeatableRequest.of(PLATFORM_LOG, actor.id, idempotency_key, "rotate platform key", values)
    rotation = answer_once(platform_db, encryptor, request, Rotation, prepare, commit, now=now).answer
    register_ended_key(register, key_id, ends_at=rotation.old_ends_at)
    return rotation


def revoke_key_of_platform(
    platform_db: Homes, register: Register, key_id: UUID, actor: Actor, *, now: datetime
) -> None:
    """Revoke a platform key, which is then refused at its next request.

    Idempotent: a repeated revocation records nothing, and is registered again, because the earlier request may have
    died before that.

    Raises:
        NotFoundError: there is no such key.
        ConflictError: no other key would be left that is not revoked and has no end.
        UnavailableError: the database is unreachable. The change may be committed. A retry is safe.
    """
    with platform_db.tenant_transaction(PLATFORM_LOG) as conn:
        lock_platform_keys(conn)
        key = _get(conn, key_id)
        if key.revoked_at is None:
            if not has_other_endless_key(conn, key_id):
                raise ConflictError("This is the last platform key without an end. Create another one first.")
            revoke_platform_key(conn, key_id, now=now)
            insert_audit_record(conn, PLATFORM_LOG, AuditRecord.done(PLATFORM_KEY_REVOKED, str(key_id), actor, now=now))
    register_ended_key(register, key_id, ends_at=key.revoked_at or now)


def _new_key(name: str, expires_at: datetime | None, *, now: datetime) -> NewKey:
    return NewKey(
        id=uuid4(),
        key=generate_key(KeyType.PLATFORM),
        name=name,
        app_id=None,
        scopes=(),
        created_at=now,
        expires_at=expires_at,
        rotate_by=None,
    )


def _get(conn: Connection, key_id: UUID) -> KeyLife:
    key = find_managed_platform_key(conn, key_id)
    if key is None:
        raise NotFoundError("There is no such platform key.")
    return key


def _get_rotatable(conn: Connection, key_id: UUID, *, now: datetime) -> KeyLife:
    key = _get(conn, key_id)
    key.require_rotatable(now)
    return key


def _require_room(conn: Connection, *, now: datetime) -> None:
    if count_live_platform_keys(conn, now=now) >= MAX_LIVE_PLATFORM_KEYS:
        raise ConflictError(f"There are {MAX_LIVE_PLATFORM_KEYS} live platform keys, which is the limit. Revoke one.")
