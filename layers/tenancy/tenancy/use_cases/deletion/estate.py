"""Where something of an organization may be: every store, how it is erased there, and how what is left is counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tenancy.rules.organization import QUARANTINE, Organization
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.deletions import update_anonymous
from tenancy.stores.postgres.platform.organization_rows import count_rows, delete_rows
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.quarantine import insert_quarantine
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.platform.counters import count_counters, delete_counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """Wherever something of an organization may be; *client* connects when ClickHouse is asked."""

    platform_db: Database
    client: Callable[[], Client]
    redis: Redis
    gateway_keys: GatewayKeys
    exports: Exports


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A part of the estate: *erase* may run twice, *count* says what is left by table or kind."""

    erase: Callable[[Estate, UUID, datetime], None]
    count: Callable[[Estate, UUID, datetime], Mapping[str, int]]


def _erase_gateway_keys(estate: Estate, organization_id: UUID, _now: datetime) -> None:
    estate.gateway_keys.delete_keys(organization_id)


def _count_gateway_keys(estate: Estate, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return {"keys": estate.gateway_keys.count_keys(organization_id)}


def _erase_exports(estate: Estate, organization_id: UUID, _now: datetime) -> None:
    estate.exports.delete_all(organization_id)


def _count_exports(estate: Estate, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return {"objects": estate.exports.count_all(organization_id)}


def _erase_clickhouse(estate: Estate, organization_id: UUID, _now: datetime) -> None:
    delete_event_rows(estate.client(), organization_id)


def _count_clickhouse(estate: Estate, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return count_event_rows(estate.client(), organization_id)


def _erase_redis(estate: Estate, organization_id: UUID, now: datetime) -> None:
    delete_counters(estate.redis, organization_id, now=now)


def _count_redis(estate: Estate, organization_id: UUID, now: datetime) -> Mapping[str, int]:
    return {"keys": count_counters(estate.redis, organization_id, now=now)}


def _erase_postgres(estate: Estate, organization_id: UUID, now: datetime) -> None:
    with estate.platform_db.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
        if organization is not None and not _is_anonymous(organization):
            insert_quarantine(conn, organization.subdomain, ends_at=now + QUARANTINE)
        update_anonymous(conn, organization_id)
        delete_rows(conn, organization_id)


def _count_postgres(estate: Estate, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    with estate.platform_db.tenant_transaction(organization_id) as conn:
        return count_rows(conn, organization_id)


def _is_anonymous(organization: Organization) -> bool:
    return organization.subdomain == str(organization.id)


# In this order: what meters and what is derived first, and the database that knows of all of it last.
STORES: Final[Mapping[str, Store]] = MappingProxyType(
    {
        "gateway_keys": Store(erase=_erase_gateway_keys, count=_count_gateway_keys),
        "exports": Store(erase=_erase_exports, count=_count_exports),
        "clickhouse": Store(erase=_erase_clickhouse, count=_count_clickhouse),
        "redis": Store(erase=_erase_redis, count=_count_redis),
        "postgres": Store(erase=_erase_postgres, count=_count_postgres),
    }
)
