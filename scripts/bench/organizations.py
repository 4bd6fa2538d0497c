"""Many organizations in databases of a figure's own, and their events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from scripts.bench.databases import Databases
from tenancy.stores.clickhouse.client import Client

INSERT_ORGANIZATIONS: Final = """
    INSERT INTO organizations (id, name, subdomain, tier, status, gateway_key, created_at, updated_at)
    SELECT id, 'bench-' || n, 'bench-' || n || '-x', 'growth', 'active', 'bench-' || n, %(now)s, %(now)s
    FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS new (id, n)
"""
PARTS: Final = 10  # for few as for many
BLOCK_EVENTS: Final = 50_000
# Of each organization in turn, so that every part has events of all, as when load writes them: 2,500 devices, ten names
# and two platforms, received within a second and written at once.
INSERT_EVENTS: Final = """
    INSERT INTO events (
        organization_id, event_id, event_type, event_name, device_id, session_id, platform, event_timestamp,
        properties, user_properties, revenue, currency, received_at, created_at
    )
    WITH
        intDiv(number * {milliseconds:UInt64}, {events:UInt64}) AS since_start,
        addMilliseconds({start:DateTime64(3, 'UTC')}, since_start) AS moment,
        rand(1) % 2500 AS device,
        rand(2) % 10 AS name
    SELECT
        toUUID(concat({prefix:String}, leftPad(toString(number % {organizations:UInt64}), 12, '0'))),
        toString(generateUUIDv4()), if(name < 3, 'purchase', 'view'), concat('Event ', toString(name)),
        concat('device-', toString(device)), concat('session-', toString(device)), if(device % 2 = 0, 'ios', 'android'),
        moment,
        concat('{"sku":"sku-', toString(rand(3) % 97), '","quantity":2,"coupon":null,"path":"/checkout/done"}'),
        '{"plan":"pro","locale":"de-DE"}', rand(4) % 200, 'EUR', addMilliseconds(moment, rand(5) % 1000),
        toDateTime(addSeconds(moment, 1))
    FROM numbers({events:UInt64})
"""


def start_of_month(now: datetime) -> datetime:
    """Return the beginning of the month of *now*."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def organization_ids(organizations: int) -> list[UUID]:
    """Return that many ids, which differ in their last twelve digits."""
    return [UUID(f"{organizations:08x}-0000-4000-8000-{number:012}") for number in range(organizations)]


def insert_organizations(databases: Databases, ids: Sequence[UUID], *, now: datetime) -> None:
    """Make an active organization of each of *ids*, which are of `organization_ids`."""
    with databases.platform.transaction() as conn:
        conn.execute(INSERT_ORGANIZATIONS, {"ids": list(ids), "now": now})


def insert_events(
    client: Client, ids: Sequence[UUID], events_each: int, *, start: datetime, end: datetime, parts: int = PARTS
) -> None:
    """Insert *events_each* events between *start* and *end* for each of *ids*, in that many parts.

    The *ids* are the first ones of `organization_ids`.
    """
    events = len(ids) * events_each
    parameters = {
        "start": start,
        "milliseconds": (end - start) // timedelta(milliseconds=1),
        "events": events,
        "organizations": len(ids),
        "prefix": str(ids[0])[:24],
    }
    settings = {
        "min_insert_block_size_rows": events // parts,
        "min_insert_block_size_bytes": 0,
        "max_block_size": BLOCK_EVENTS,
        "max_insert_threads": 1,
    }
    client.command(INSERT_EVENTS, parameters=parameters, settings=settings)
