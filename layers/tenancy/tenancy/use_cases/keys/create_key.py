"""Create a key of an organization."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import BODY, ConflictError, FieldError, InvalidError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import MAX_KEY_LIFETIME
from tenancy.rules.keys.api_keys import generate_key
from tenancy.rules.keys.managed_keys import MAX_LIVE_KEYS, KeyKind, NewKey, default_scopes, due_after, require_grantable
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.api_keys import count_live_api_keys, insert_new_api_key, lock_api_keys
from tenancy.stores.postgres.apps import lock_app
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import find_key_rotation
from tenancy.use_cases.homes.claim_values import claim_key
from tenancy.use_cases.idempotency.answer_once import RepeatableRequest, answer_once
from tenancy.use_cases.organizations.require_changeable import require_changeable

KEY_CREATED: Final = "key.created"
CREATE_KEY: Final = "create key"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKey:
    """A key that a request asks for. Without *scopes* it gets the default ones."""

    kind: KeyKind
    name: str
    app_id: UUID | None
    scopes: tuple[str, ...] | None
    expires_at: datetime | None


def create_key(
    platform_db: Homes,
    encryptor: Encryptor,
    tenant: Tenant,
    wanted: WantedKey,
    actor: Actor,
    *,
    idempotency_key: str | None,
    now: datetime,
) -> NewKey:
    """Create a key with scopes that *tenant* has, and return it with its text.

    Raises:
        ForbiddenError: the key would get a permission that *tenant* lacks.
        InvalidError: the end is not in the next ten years, or the organization has no such app.
        ConflictError: the organization has `MAX_LIVE_KEYS` live keys.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        IdempotencyKeyReusedError, RequestInProgressError, UnavailableError: as for `answer_once`.
    """
    organization_id = tenant.organization_id

    def prepare() -> NewKey:
        require_end(wanted.expires_at, now=now)
        scopes = default_scopes(wanted.kind, tenant.scopes) if wanted.scopes is None else wanted.scopes
        require_grantable(scopes, tenant.scopes)
        with platform_db.tenant_transaction(organization_id) as conn:
            rotate_by = due_after(find_key_rotation(conn, organization_id), now)
        key = generate_key(wanted.kind.type)
        claim_key(platform_db, organization_id, key, now=now)
        return NewKey(
            id=uuid4(),
            key=key,
            name=wanted.name,
            app_id=wanted.app_id,
            scopes=scopes,
            created_at=now,
            expires_at=wanted.expires_at,
            rotate_by=rotate_by,
        )

    def commit(conn: Connection, new: NewKey) -> None:
        require_changeable(conn, organization_id)
        _require_app(conn, organization_id, new.app_id)
        require_room(conn, organization_id, now=now)
        insert_new_api_key(conn, organization_id, new)
        insert_audit_record(conn, organization_id, AuditRecord.done(KEY_CREATED, str(new.id), actor, now=now))

    request = RepeatableRequest.of(organization_id, actor.id, idempotency_key, CREATE_KEY, wanted)
    new = answer_once(platform_db, encryptor, request, NewKey, prepare, commit, now=now).answer
    require_grantable(new.scopes, tenant.scopes)  # a repeated request: the role of its member may have changed
    return new


def require_end(expires_at: datetime | None, *, now: datetime) -> None:
    """Require that a new key ends within the next ten years, if it has an end.

    Raises:
        InvalidError: the end is not after *now*, or later.
    """
    if expires_at is None or now < expires_at <= now + MAX_KEY_LIFETIME:
        return
    text = f"Expected a time in the future, at most {MAX_KEY_LIFETIME.days} days ahead."
    errors = [FieldError(location=f"{BODY}/expires_at", code="out_of_range", message=text)]
    raise InvalidError("The key cannot end at `expires_at`.", errors=errors)


def require_room(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Require that the organization may have one more live key.

    Until the transaction ends, no other transaction adds a key.

    Raises:
        ConflictError: there is none.
    """
    lock_api_keys(conn, organization_id)
    if count_live_api_keys(conn, organization_id, now=now) >= MAX_LIVE_KEYS:
        raise ConflictError(f"The organization has {MAX_LIVE_KEYS} live keys, which is the limit. Revoke one.")


def _require_app(conn: Connection, organization_id: UUID, app_id: UUID | None) -> None:
    """Require the app of a key, if it has one, and keep it until the transaction ends.

    Raises:
        InvalidError: the organization has no such app, or it was deleted.
    """
    if app_id is None or lock_app(conn, organization_id, app_id):
        return
    text = "The organization has no such app."
    raise InvalidError(text, errors=[FieldError(location=f"{BODY}/app_id", code="unknown", message=text)])
