"""The effects that committed changes owe: what each is, and doing those that are due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.errors import InternalError, Refusal
from tenancy.stores.gateway_keys import GatewayKeys
from tenancy.stores.mail import Mail, Mailer
from tenancy.stores.platform.outbox import Effect, claim_effects, delete_effect, update_effect_failed
from tenancy.stores.postgres import Database
from tenancy.tiers import Tier

GATEWAY_KEY: Final = "gateway_key"
WELCOME_MAIL: Final = "welcome_mail"
CLAIM_TIME: Final = timedelta(minutes=2)  # longer than a function that drains may take
FIRST_BACKOFF: Final = timedelta(seconds=30)
MAX_BACKOFF: Final = timedelta(hours=1)
BATCH: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What effects act upon, outside the database."""

    gateway_keys: GatewayKeys
    mailer: Mailer


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """The kinds of the effects that were done, and of those that failed and stay due."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def drain(
    platform_db: Database,
    world: World,
    *,
    now: datetime,
    organization_id: UUID | None = None,
    kind: str | None = None,
) -> Drained:
    """Do the due effects of one organization and kind, or of all.

    An effect is claimed, done, then struck: a death in between does it again after the claim has ended, so each is
    idempotent, or harmless twice (mail).
    """
    done: list[str] = []
    failed: list[str] = []
    while effects := _claim(platform_db, now, organization_id, kind):
        for effect in effects:
            try:
                _do(world, effect)
            except Refusal as refusal:
                _note_failure(platform_db, effect, refusal, now=now)
                failed.append(effect.kind)
            else:
                with platform_db.transaction() as conn:
                    delete_effect(conn, effect.id)
                done.append(effect.kind)
    return Drained(done=tuple(done), failed=tuple(failed))


def _claim(platform_db: Database, now: datetime, organization_id: UUID | None, kind: str | None) -> list[Effect]:
    with platform_db.transaction() as conn:
        return claim_effects(
            conn, now=now, again_at=now + CLAIM_TIME, limit=BATCH, organization_id=organization_id, kind=kind
        )


def _note_failure(platform_db: Database, effect: Effect, refusal: Refusal, *, now: datetime) -> None:
    backoff = min(FIRST_BACKOFF * 2 ** min(effect.attempts - 1, 20), MAX_BACKOFF)
    with platform_db.transaction() as conn:
        update_effect_failed(conn, effect.id, error=refusal.detail, due_at=now + backoff)


def _do(world: World, effect: Effect) -> None:
    try:
        _do_kind(world, effect)
    except (KeyError, ValueError) as error:
        raise InternalError("The effect's payload is not what its kind needs.") from error


def _do_kind(world: World, effect: Effect) -> None:
    if effect.kind == GATEWAY_KEY:
        world.gateway_keys.put_key(effect.organization_id, effect.payload["value"], Tier(effect.payload["tier"]))
    elif effect.kind == WELCOME_MAIL:
        world.mailer.send(effect.organization_id, _welcome(effect.payload["to"], effect.payload["organization_name"]))
    else:
        raise InternalError(f"There is no effect {effect.kind!r}.")


def _welcome(to: str, organization_name: str) -> Mail:
    text = (
        f"{organization_name} is set up.\n\n"
        "Your account is ready: log in with this address and the password that was chosen for you.\n"
        "Your apps send events with the write key, your servers read usage and statistics with the secret key;\n"
        "whoever set the organization up has both.\n"
    )
    return Mail(to=to, subject=f"Welcome, {organization_name}", text=text)
