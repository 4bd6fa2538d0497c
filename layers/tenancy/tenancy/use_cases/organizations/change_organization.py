"""Change the name, tier, overrides or status of an organization atomically.

The organization has a valid gateway key at every moment of the change.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, DowngradeBlockedError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import OLD_GATEWAY_KEY_LIFETIME
from tenancy.rules.entitlements import ENTITLEMENT_NAMES, UNLIMITED_OVERRIDE
from tenancy.rules.organization import Organization, OrganizationStatus, next_gateway_key
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.quotas import Allowance, Metric, limit_of
from tenancy.rules.standing import require_existing
from tenancy.rules.usage_plans import UsagePlan, plan_of
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.postgres.apps import count_apps
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organizations import (
    get_gateway_key,
    insert_tier_change,
    lock_organization,
    update_organization,
)
from tenancy.stores.postgres.platform.outbox import insert_outbox_entry
from tenancy.stores.postgres.seats import lock_seats
from tenancy.stores.postgres.sso_connections import find_sso_connection
from tenancy.stores.postgres.users import count_users
from tenancy.use_cases.admission.enqueue_publication import ChangedOrganization, enqueue_publication
from tenancy.use_cases.organizations.require_changeable import require_changeable_status
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_entry
from tenancy.use_cases.sso.end_sso import end_sso

RENAMED: Final = "organization.renamed"
TIER_CHANGED: Final = "organization.tier_changed"
ENTITLEMENTS_CHANGED: Final = "organization.entitlements_changed"
SUSPENDED: Final = "organization.suspended"
REACTIVATED: Final = "organization.reactivated"

type Count = Callable[[Connection, UUID], int]

# The metrics that block a change: an organization may have more than its new entitlements include.
COUNTED: Final[tuple[tuple[Metric, Count], ...]] = ((Metric.USERS, count_users), (Metric.APPS, count_apps))


def change_organization(
    platform_db: Homes,
    targets: OutboxTargets,
    gateway_keys: GatewayKeys,
    organization_id: UUID,
    change: OrganizationChange,
    *,
    actor: Actor,
    now: datetime,
) -> ChangedOrganization:
    """Change the organization in one transaction and return it.

    The new limits and status apply when the change is published, also while an authorizer has cached the old ones. A
    change that changes nothing is published again. If the organization moves to another usage plan, its gateway key in
    that plan is created before the commit. The old key is removed after the authorizer's cache has expired. If the
    process dies before the commit, the next attempt reuses the new key. A change of tier or overrides also replaces a
    key that API Gateway has in the wrong plan. The roll-up releases held events later.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        TransitionNotAllowedError: the organization is deleted.
        DowngradeBlockedError: the organization has more users or apps than a new limit includes.
        RatesTooLargeError: no usage plan takes the sum of the rates.
        ConflictError: another request is changing the organization.
        UnavailableError: PostgreSQL or API Gateway is unreachable. The change may be committed. A retry is safe.
    """
    made = _create_key(platform_db, gateway_keys, organization_id, change) if change.changes_entitlements else None
    with platform_db.tenant_transaction(organization_id) as conn:
        before, old_key = _lock_changeable(conn, organization_id, change)
        if made is not None and made[:2] != (before, old_key):
            raise ConflictError("Another request is changing the organization. Retry.")
        new_key = made[2] if made is not None else old_key
        changed = _apply(conn, before, change, (old_key, new_key), actor=actor, now=now)
        publication = enqueue_publication(conn, organization_id, now=now)
    return ChangedOrganization(organization=changed, is_published=run_entry(platform_db, targets, publication, now=now))


def _create_key(
    platform_db: Homes, gateway_keys: GatewayKeys, organization_id: UUID, change: OrganizationChange
) -> tuple[Organization, str, str]:
    """Create the gateway key in the new usage plan before the transaction that stores it.

    Return the organization and its key at that time, and the key to store.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        before, old_key = _lock_changeable(conn, organization_id, change)
    plan = plan_of(change.apply_to(before).entitlements)
    if _is_in_plan(gateway_keys, before, old_key, plan):
        return before, old_key, old_key
    new_key = next_gateway_key(organization_id, old_key, plan)
    gateway_keys.put_key(organization_id, new_key, plan)
    return before, old_key, new_key


def _is_in_plan(gateway_keys: GatewayKeys, before: Organization, key: str, plan: UsagePlan) -> bool:
    """Tell whether the gateway key *key* of the organization is in *plan*.

    Functions of the release before know no overrides. They move an organization to the plan of its tier. So the
    function asks API Gateway, unless *plan* is that of the tier.
    """
    if plan is not plan_of(before.entitlements):
        return False
    return plan is UsagePlan(before.tier) or gateway_keys.is_in_plan(before.id, key, plan)


def _lock_changeable(conn: Connection, organization_id: UUID, change: OrganizationChange) -> tuple[Organization, str]:
    """Lock and return the organization and its gateway key, if it may be changed."""
    if change.changes_entitlements:
        for metric, _ in COUNTED:
            lock_seats(conn, organization_id, metric)  # first, as `claim_seat` does: the same order prevents deadlocks
    organization = require_existing(lock_organization(conn, organization_id))
    require_changeable_status(organization.status)
    blockers = list(_blockers(conn, organization, change.apply_to(organization)))
    if blockers:
        raise DowngradeBlockedError(blockers)
    return organization, get_gateway_key(conn, organization_id)


def _blockers(conn: Connection, before: Organization, after: Organization) -> Iterator[str]:
    """Yield the metrics of which the organization has more than a new limit includes.

    A limit that stays as it is blocks nothing.
    """
    for metric, count in COUNTED:
        limit = limit_of(after.entitlements, metric)
        if (
            limit != limit_of(before.entitlements, metric)
            and Allowance(used=count(conn, before.id), limit=limit).is_passed
        ):
            yield metric


def _apply(
    conn: Connection,
    before: Organization,
    change: OrganizationChange,
    keys: tuple[str, str],
    *,
    actor: Actor,
    now: datetime,
) -> Organization:
    """Store the changed organization. *keys* are its gateway key so far, and the one to store."""
    after, (old_key, new_key) = change.apply_to(before), keys
    if after == before and new_key == old_key:
        return before
    changed = update_organization(conn, after, gateway_key=new_key, now=now)
    if _leaves_retention(before, after):
        insert_tier_change(conn, before.id, uuid4(), left=before.entitlements, to_tier=after.tier, now=now)
    if new_key != old_key:
        due_at = now + OLD_GATEWAY_KEY_LIFETIME
        insert_outbox_entry(conn, before.id, OutboxKind.GATEWAY_KEY_REMOVAL, {"value": old_key}, due_at=due_at)
    if _loses_sso(before, after) and find_sso_connection(conn, before.id) is not None:
        end_sso(conn, before.id, actor, now=now)
    for action, target in _actions(before, after):
        record = AuditRecord.done(action, target, actor, now=now)
        insert_audit_record(conn, before.id, record)
    return changed


def _loses_sso(before: Organization, after: Organization) -> bool:
    return before.entitlements.quotas.sso and not after.entitlements.quotas.sso


def _leaves_retention(before: Organization, after: Organization) -> bool:
    """Tell whether the tier or the retention changes.

    Then the former retention must be stored, because it may apply for a while.
    """
    kept, left = after.entitlements.quotas.data_retention_days, before.entitlements.quotas.data_retention_days
    return after.tier is not before.tier or kept != left


def _actions(before: Organization, after: Organization) -> Iterator[tuple[str, str]]:
    """Yield action and target of each audit record.

    A name may be personal data, so it is not recorded.
    """
    if after.name != before.name:
        yield RENAMED, str(before.id)
    if after.tier is not before.tier:
        yield TIER_CHANGED, f"{before.tier} to {after.tier}"
    if after.overrides != before.overrides:
        yield ENTITLEMENTS_CHANGED, "; ".join(_list_changes(before, after))
    if after.status is not before.status:
        yield SUSPENDED if after.status is OrganizationStatus.SUSPENDED else REACTIVATED, str(before.id)


def _list_changes(before: Organization, after: Organization) -> Iterator[str]:
    """Yield each entitlement whose override changed, with its value before and after the change."""
    old, new = before.entitlements.values, after.entitlements.values
    for name in ENTITLEMENT_NAMES:
        if before.overrides.get(name) != after.overrides.get(name):
            yield f"{name}: {_text_of(old[name])} to {_text_of(new[name])}"


def _text_of(value: bool | int | None) -> str:  # noqa: FBT001 - the value of a flag
    return UNLIMITED_OVERRIDE if value is None else str(value).lower()
