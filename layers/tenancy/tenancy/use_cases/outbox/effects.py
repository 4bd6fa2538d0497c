"""The effects that committed changes owe: what each is, and doing those that are due."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.errors import InternalError, Refusal
from tenancy.rules.mails import TEMPLATES, render_mail
from tenancy.rules.privacy import LINK_TIME
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.event_bus import EventBus
from tenancy.stores.aws.executions import Executions
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.mail import Mailer, MailRefusedError
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organizations import get_gateway_key
from tenancy.stores.postgres.platform.outbox import (
    Effect,
    claim_effects,
    count_parked,
    delete_effect,
    find_oldest,
    give_back_effects,
    park_effect,
    update_effect_failed,
)
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.publish_standing import publish_standing

QUOTA_THRESHOLD_REACHED: Final = "Quota threshold reached"
CLAIM_TIME: Final = timedelta(minutes=2)  # longer than a function that drains may take
FIRST_BACKOFF: Final = timedelta(seconds=30)
MAX_BACKOFF: Final = timedelta(hours=1)
LAST_ATTEMPT: Final = 30  # about a day
BATCH: Final = 25
MAILS_EACH: Final = 5  # of one organization, in a batch


class Kind(StrEnum):
    """What an effect does; a mail's kind names its template (mails.py)."""

    STANDING = "standing"
    GATEWAY_KEY = "gateway_key"
    GATEWAY_KEY_REMOVAL = "gateway_key_removal"
    WELCOME_MAIL = "welcome_mail"
    QUOTA_MAIL = "quota_mail"
    QUOTA_EVENT = "quota_event"
    DELETION_MAIL = "deletion_mail"
    RESTORED_MAIL = "restored_mail"
    ERASED_MAIL = "erased_mail"
    DELETION_EXECUTION = "deletion_execution"
    EXPORT_MAIL = "export_mail"


# What nothing else depends on is not tried for ever; the rest is.
PARKABLE: Final = frozenset({*TEMPLATES, Kind.QUOTA_EVENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What effects act upon, outside the database: a function has what its own effects need, the sweep all of it."""

    redis: Redis | None = None
    gateway_keys: GatewayKeys | None = None
    mailer: Mailer | None = None
    event_bus: EventBus | None = None
    executions: Executions | None = None
    exports: Exports | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """The kinds of the effects that were done, and of those that failed and stay due."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def __add__(self, others: "Drained") -> "Drained":
        """Return both together."""
        return Drained(done=self.done + others.done, failed=self.failed + others.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How long the oldest effect has been owed that is to be done, and how many are parked: kept, and not tried."""

    oldest: timedelta
    parked: int


def drain(
    platform_db: Database,
    world: World,
    *,
    now: datetime,
    organization_id: UUID | None = None,
    kind: str | None = None,
    has_time: Callable[[], bool] = lambda: True,
) -> Drained:
    """Do the due effects of one organization and kind, or of all, as long as there is time.

    An effect is claimed, done, then struck: a death in between does it again after the claim has ended, so each is
    idempotent, or harmless twice (mail). What there was no time for is as due as before.
    """
    done: list[str] = []
    failed: list[str] = []
    while has_time() and (effects := deque(_claim(platform_db, now, organization_id, kind))):
        while effects and has_time():
            effect = effects.popleft()
            is_done = finish(platform_db, world, effect, now=now)
            (done if is_done else failed).append(effect.kind)
        if effects:
            _give_back(platform_db, effects)
    return Drained(done=tuple(done), failed=tuple(failed))


def finish(platform_db: Database, world: World, effect: Effect, *, now: datetime) -> bool:
    """Do an effect that is claimed and strike it; return False, and note why, if it failed.

    It is tried again later, unless it is parked: a mail that SES refuses, or what failed for a day without others
    depending on it.
    """
    try:
        _do(platform_db, world, effect)
    except MailRefusedError as error:
        _park(platform_db, effect, str(error))
        return False
    except Refusal as refusal:
        if effect.kind in PARKABLE and effect.attempts >= LAST_ATTEMPT:
            _park(platform_db, effect, refusal.detail)
        else:
            _note_failure(platform_db, effect, refusal, now=now)
        return False
    with platform_db.transaction() as conn:
        delete_effect(conn, effect.id)
    return True


def finish_at_once(platform_db: Database, world: World, organization_id: UUID, kind: str, *, now: datetime) -> bool:
    """Do the organization's effects of that kind that nobody else is at, once, though they may have failed before.

    Return whether none of them failed.
    """
    effects = _claim(platform_db, now, organization_id, kind, at_once=True)
    are_done = [finish(platform_db, world, effect, now=now) for effect in effects]
    return all(are_done)


def find_backlog(platform_db: Database, *, now: datetime) -> Backlog:
    """Return what is owed still."""
    with platform_db.transaction() as conn:
        oldest, parked = find_oldest(conn), count_parked(conn)
    return Backlog(oldest=now - oldest if oldest is not None else timedelta(), parked=parked)


def _claim(
    platform_db: Database, now: datetime, organization_id: UUID | None, kind: str | None, *, at_once: bool = False
) -> list[Effect]:
    with platform_db.transaction() as conn:
        return claim_effects(
            conn,
            now=now,
            until=now + CLAIM_TIME,
            limit=BATCH,
            mails_each=MAILS_EACH,
            organization_id=organization_id,
            kind=kind,
            at_once=at_once,
        )


def _give_back(platform_db: Database, effects: Iterable[Effect]) -> None:
    with platform_db.transaction() as conn:
        give_back_effects(conn, effects)


def _park(platform_db: Database, effect: Effect, error: str) -> None:
    with platform_db.transaction() as conn:
        park_effect(conn, effect.id, error=error)


def _note_failure(platform_db: Database, effect: Effect, refusal: Refusal, *, now: datetime) -> None:
    backoff = min(FIRST_BACKOFF * 2 ** min(effect.attempts - 1, 20), MAX_BACKOFF)
    with platform_db.transaction() as conn:
        update_effect_failed(conn, effect.id, error=refusal.detail, due_at=now + backoff)


def _do(platform_db: Database, world: World, effect: Effect) -> None:
    try:
        if not _is_overtaken(platform_db, effect):
            _do_kind(platform_db, world, effect)
    except (KeyError, ValueError) as error:
        raise InternalError("The effect's payload is not what its kind needs.") from error


def _is_overtaken(platform_db: Database, effect: Effect) -> bool:
    """Whether it would bring back a gateway key that another tier's has replaced."""
    if effect.kind != Kind.GATEWAY_KEY:
        return False
    value: str = effect.payload["value"]
    with platform_db.transaction() as conn:
        return value != get_gateway_key(conn, effect.organization_id)


def _do_kind(platform_db: Database, world: World, effect: Effect) -> None:
    organization_id, payload = effect.organization_id, effect.payload
    match effect.kind:
        case Kind.STANDING:
            publish_standing(platform_db, _part(world.redis), organization_id)
        case Kind.GATEWAY_KEY:
            _part(world.gateway_keys).put_key(organization_id, payload["value"], Tier(payload["tier"]))
        case Kind.GATEWAY_KEY_REMOVAL:
            _part(world.gateway_keys).delete_key(organization_id, payload["value"])
        case Kind.EXPORT_MAIL:
            names = payload["names"]
            links = [_part(world.exports).link(organization_id, name, lasts=LINK_TIME) for name in names]
            _part(world.mailer).send(organization_id, render_mail(effect.kind, {**payload, "links": "\n".join(links)}))
        case kind if kind in TEMPLATES:
            _part(world.mailer).send(organization_id, render_mail(kind, payload))
        case Kind.DELETION_EXECUTION:
            purge_at = datetime.fromisoformat(payload["purge_at"])
            _part(world.executions).start(organization_id, payload["generation"], purge_at=purge_at)
        case Kind.QUOTA_EVENT:
            _part(world.event_bus).put_event(organization_id, QUOTA_THRESHOLD_REACHED, payload)
        case _:
            raise InternalError(f"There is no effect {effect.kind!r}.")


def _part[T](part: T | None) -> T:
    if part is None:
        raise InternalError("This function has no part in such an effect.")
    return part
