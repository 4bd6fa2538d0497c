"""Another tier: at once for every limit, with no moment in which API Gateway does not know the organization."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.audit import Actor, Outcome, Record
from tenancy.errors import ConflictError, DowngradeBlockedError, NotFoundError, TransitionNotAllowedError
from tenancy.organization import Organization, Status, next_gateway_key
from tenancy.quotas import Allowance, Metric, limit_of
from tenancy.standing import Standing
from tenancy.stores.apps import count_apps
from tenancy.stores.audit import insert_record
from tenancy.stores.counters import put_standing
from tenancy.stores.gateway_keys import GatewayKeys
from tenancy.stores.platform.organizations import (
    find_gateway_key,
    insert_tier_change,
    lock_organization,
    update_tier,
)
from tenancy.stores.platform.outbox import insert_effect
from tenancy.stores.postgres import Connection, Database
from tenancy.stores.redis import Redis, RedisAwayError
from tenancy.stores.seats import lock_seats
from tenancy.stores.standing import find_standing
from tenancy.stores.users import count_users
from tenancy.tiers import Tier
from tenancy.use_cases.effects import Kind

TIER_CHANGED: Final = "organization.tier_changed"
OLD_KEY_LIVES_FOR: Final = timedelta(minutes=2)  # longer than the authorizer's answers are kept
CHANGEABLE: Final = frozenset({Status.ACTIVE, Status.SUSPENDED})


def change_tier(
    platform_db: Database,
    redis: Redis,
    gateway_keys: GatewayKeys,
    organization_id: UUID,
    tier: Tier,
    actor: Actor,
    *,
    now: datetime,
) -> Organization:
    """Give the organization another *tier* and return it; counters go on, limits are the new ones from now on.

    The key in the new plan is made before the change is committed, the old one removed after the authorizer has
    forgotten it; a death in between leaves a key that the next try of the same tier takes. What is held, the roll-up
    releases.

    Raises:
        NotFoundError: there is no such organization.
        TransitionNotAllowedError: it is deleted.
        DowngradeBlockedError: it has more users or apps than the tier includes.
        ConflictError: its tier is changed by somebody else right now.
        UnavailableError: a store is away, nothing was changed.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        before, old_key = _lock_changeable(conn, organization_id, tier)
    if before.tier is tier:
        return before
    new_key = next_gateway_key(organization_id, old_key, tier)
    gateway_keys.put_key(organization_id, new_key, tier)
    with platform_db.tenant_transaction(organization_id) as conn:
        if _lock_changeable(conn, organization_id, tier) != (before, old_key):
            raise ConflictError("The organization is being changed.")
        changed = update_tier(conn, organization_id, tier, gateway_key=new_key, now=now)
        insert_tier_change(conn, organization_id, uuid4(), from_tier=before.tier, to_tier=tier, now=now)
        insert_record(conn, organization_id, _record(before, tier, actor, now))
        removal = {"value": old_key}
        insert_effect(conn, organization_id, Kind.GATEWAY_KEY_REMOVAL, removal, due_at=now + OLD_KEY_LIVES_FOR)
        standing = find_standing(conn, organization_id)
    _publish(redis, organization_id, standing)
    return changed


def _lock_changeable(conn: Connection, organization_id: UUID, tier: Tier) -> tuple[Organization, str]:
    """Return the organization and its gateway key, when it may have *tier*."""
    for metric in (Metric.USERS, Metric.APPS):
        lock_seats(conn, organization_id, metric)  # first, as whoever adds one does: then nobody waits in a circle
    organization = lock_organization(conn, organization_id)
    gateway_key = find_gateway_key(conn, organization_id)
    if organization is None or gateway_key is None or organization.status is Status.ERASED:
        raise NotFoundError("There is no such organization.")
    if organization.status not in CHANGEABLE:
        raise TransitionNotAllowedError(f"The organization is {organization.status}.")
    had = {Metric.USERS: count_users(conn, organization_id), Metric.APPS: count_apps(conn, organization_id)}
    blockers = [metric for metric, used in had.items() if Allowance(used=used, limit=limit_of(tier, metric)).is_passed]
    if blockers:
        raise DowngradeBlockedError(blockers)
    return organization, gateway_key


def _publish(redis: Redis, organization_id: UUID, standing: Standing | None) -> None:
    """Tell Redis, which would otherwise learn it within a minute."""
    if standing is not None:
        with suppress(RedisAwayError):
            put_standing(redis, organization_id, standing)


def _record(before: Organization, tier: Tier, actor: Actor, now: datetime) -> Record:
    target = f"{before.tier} to {tier}"
    return Record(occurred_at=now, actor=actor, action=TIER_CHANGED, outcome=Outcome.DONE, target=target)
