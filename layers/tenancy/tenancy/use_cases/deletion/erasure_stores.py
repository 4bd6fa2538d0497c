"""All stores with data of organizations, with their erasure and their count of rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tenancy.rules.durations import SUBDOMAIN_QUARANTINE
from tenancy.rules.organization import Organization
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.register import Register
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.catalogue import count_entries
from tenancy.stores.postgres.platform.deletions import update_anonymous
from tenancy.stores.postgres.platform.organization_rows import (
    count_rows,
    delete_platform_people,
    delete_rows,
    list_people,
)
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.quarantine import insert_quarantine
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.platform.counters import count_counters, delete_counters
from tenancy.use_cases.domains.domain_stores import DomainStores
from tenancy.use_cases.domains.release_custom_domain import count_resources, erase_custom_domains
from tenancy.use_cases.homes.claim_values import release_values


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureStores:
    """The stores with data of organizations. *client* connects to ClickHouse at its first call."""

    platform_db: Homes
    client: Callable[[], Client]
    redis: Redis
    gateway_keys: GatewayKeys
    exports: Exports
    dead_letters: DeadLetterObjects
    domains: DomainStores
    register: Register


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasableStore:
    """One store: *erase* is idempotent, *count* returns the remaining rows by table or kind."""

    erase: Callable[[ErasureStores, UUID, datetime], None]
    count: Callable[[ErasureStores, UUID, datetime], Mapping[str, int]]


def _erase_domains(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> None:
    erase_custom_domains(erasure_stores.domains, organization_id, now=now)


def _count_domains(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return count_resources(erasure_stores.domains, organization_id)


def _erase_gateway_keys(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> None:
    erasure_stores.gateway_keys.delete_keys(organization_id)


def _count_gateway_keys(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return {"keys": erasure_stores.gateway_keys.count_keys(organization_id)}


def _erase_exports(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> None:
    erasure_stores.exports.delete_all(organization_id)


def _count_exports(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return {"objects": erasure_stores.exports.count_all(organization_id)}


def _erase_dead_letters(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> None:
    erasure_stores.dead_letters.delete_all(organization_id)


def _count_dead_letters(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return {"objects": erasure_stores.dead_letters.count_all(organization_id)}


def _erase_clickhouse(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> None:
    delete_event_rows(erasure_stores.client(), organization_id)


def _count_clickhouse(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    return count_event_rows(erasure_stores.client(), organization_id)


def _erase_redis(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> None:
    delete_counters(erasure_stores.redis, organization_id, now=now)


def _count_redis(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> Mapping[str, int]:
    return {"keys": count_counters(erasure_stores.redis, organization_id, now=now)}


def _erase_postgres(erasure_stores: ErasureStores, organization_id: UUID, now: datetime) -> None:
    homes, ends_at = erasure_stores.platform_db, now + SUBDOMAIN_QUARANTINE
    if len(homes.every()) > 1:
        _quarantine_everywhere(homes, organization_id, ends_at)
        _delete_people_everywhere(homes, organization_id)
    with homes.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
        if organization is not None and not _is_anonymous(organization):
            insert_quarantine(conn, organization.subdomain, ends_at=ends_at)
        update_anonymous(conn, organization_id)
        delete_rows(conn, organization_id)
    release_values(homes, organization_id)


def _quarantine_everywhere(homes: Homes, organization_id: UUID, ends_at: datetime) -> None:
    """Put the subdomain into quarantine in the catalogue, which a provisioning asks, before its name is free."""
    with homes.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
    if organization is not None and not _is_anonymous(organization):
        with homes.catalogue.transaction() as conn:
            insert_quarantine(conn, organization.subdomain, ends_at=ends_at)


def _delete_people_everywhere(homes: Homes, organization_id: UUID) -> None:
    """Delete addresses from the platform's log of each database, while the home still knows the organization's people.

    A move leaves that log where it is. After a crash in between, the home still has the people.
    """
    with homes.tenant_transaction(organization_id) as conn:
        people = list_people(conn, organization_id)
    for database in homes.every() if people else ():
        with database.tenant_transaction(organization_id, ignores_moves=True) as conn:
            delete_platform_people(conn, people)


def _count_postgres(erasure_stores: ErasureStores, organization_id: UUID, _now: datetime) -> Mapping[str, int]:
    homes = erasure_stores.platform_db
    with homes.tenant_transaction(organization_id) as conn:
        counts = count_rows(conn, organization_id)
    if len(homes.every()) == 1:
        return counts
    with homes.catalogue.transaction() as conn:  # it may be the home as well
        entries = count_entries(conn, organization_id)
    return {table: rows + entries.get(table, 0) for table, rows in counts.items()}


def _is_anonymous(organization: Organization) -> bool:
    return organization.subdomain == str(organization.id)


# Erased in this order: custom domains, gateway keys and derived data first, PostgreSQL last, because it refers to all
# the others.
ERASABLE_STORES: Final[Mapping[str, ErasableStore]] = MappingProxyType(
    {
        "custom_domains": ErasableStore(erase=_erase_domains, count=_count_domains),
        "gateway_keys": ErasableStore(erase=_erase_gateway_keys, count=_count_gateway_keys),
        "exports": ErasableStore(erase=_erase_exports, count=_count_exports),
        "dead_letters": ErasableStore(erase=_erase_dead_letters, count=_count_dead_letters),
        "clickhouse": ErasableStore(erase=_erase_clickhouse, count=_count_clickhouse),
        "redis": ErasableStore(erase=_erase_redis, count=_count_redis),
        "postgres": ErasableStore(erase=_erase_postgres, count=_count_postgres),
    }
)
