"""Values that are unique among the organizations of several databases: claimed in the catalogue, kept in a home."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, LiteralString, NamedTuple
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import ENTERING, Entry, EntryKind
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import FIND_OWNERS

# In one order everywhere: else two claims of the same values in different orders wait for each other.
UPSERT_ENTRIES: Final = """
    INSERT INTO catalogue_entries AS c (organization_id, kind, value, claimed_at)
    SELECT %(organization_id)s, new.kind, new.value, %(now)s
    FROM unnest(%(kinds)s::text[], %(values)s::text[]) AS new (kind, value) ORDER BY new.kind, new.value
    ON CONFLICT (kind, value) DO UPDATE SET claimed_at = greatest(c.claimed_at, excluded.claimed_at)
    WHERE c.organization_id = excluded.organization_id
    RETURNING kind, value, xmax = 0 -- an updated row has the lock of ON CONFLICT in xmax
"""
FIND_CLAIM: Final = "SELECT organization_id, claimed_at FROM catalogue_entries WHERE kind = %s AND value = %s"
TAKE_ENTRY: Final = """
    UPDATE catalogue_entries SET organization_id = %s, claimed_at = %s
    WHERE kind = %s AND value = %s AND organization_id = %s AND claimed_at = %s
"""
WITHDRAW_ENTRIES: Final = """
    DELETE FROM catalogue_entries AS c USING unnest(%(kinds)s::text[], %(values)s::text[]) AS old (kind, value)
    WHERE c.organization_id = %(organization_id)s AND c.kind = old.kind AND c.value = old.value
      AND c.claimed_at = %(claimed_at)s
"""
DELETE_ENTRIES: Final = "DELETE FROM catalogue_entries WHERE organization_id = %s"
DELETE_MARKERS: Final = "DELETE FROM catalogue_entries WHERE organization_id = %s"
COUNT_ENTRIES: Final = "SELECT count(*) FROM catalogue_entries WHERE organization_id = %s"
DELETE_REQUESTS: Final = "DELETE FROM provisioning_requests WHERE organization_id = %s"
COUNT_REQUESTS: Final = "SELECT count(*) FROM provisioning_requests WHERE organization_id = %s"
# The organizations of one database that have a value, by kind.
LIST_USERS: Final[Mapping[EntryKind, LiteralString]] = MappingProxyType(
    {
        EntryKind.KEY: "SELECT organization_id FROM key_digests WHERE digest = decode(%s, 'hex')",
        EntryKind.SUBDOMAIN: "SELECT organization_id FROM organization_names WHERE subdomain = %s",
        EntryKind.SKELETON: "SELECT organization_id FROM organization_names WHERE skeleton = %s",
        EntryKind.EMAIL_DOMAIN: "SELECT organization_id FROM proven_email_domains WHERE domain = %s",
        EntryKind.CUSTOM_DOMAIN: "SELECT organization_id FROM listed_custom_domains WHERE domain = %s AND is_proven",
    }
)
LIST_VALUES: Final = """
    SELECT 'key', encode(digest, 'hex') FROM key_digests WHERE organization_id = %(organization_id)s
    UNION ALL SELECT 'subdomain', subdomain FROM organization_names WHERE organization_id = %(organization_id)s
    UNION ALL SELECT 'skeleton', skeleton FROM organization_names WHERE organization_id = %(organization_id)s
    UNION ALL SELECT 'email_domain', domain FROM proven_email_domains WHERE organization_id = %(organization_id)s
    UNION ALL SELECT 'custom_domain', domain FROM listed_custom_domains
    WHERE organization_id = %(organization_id)s AND is_proven
"""
LIST_PUBLIC_VALUES: Final = """
    SELECT 'subdomain', subdomain, organization_id FROM organization_names
    UNION ALL SELECT 'skeleton', skeleton, organization_id FROM organization_names
    UNION ALL SELECT 'email_domain', domain, organization_id FROM proven_email_domains
    UNION ALL SELECT 'custom_domain', domain, organization_id FROM listed_custom_domains WHERE is_proven
"""


class Claim(NamedTuple):
    """The organization that has claimed a value, and when."""

    organization_id: UUID
    claimed_at: datetime


def upsert_entries(
    conn: Connection, organization_id: UUID, entries: Iterable[Entry], *, now: datetime
) -> Mapping[Entry, bool]:
    """Claim *entries* for the organization, and return those that it has now, and whether each one is new.

    Others belong to other organizations.
    """
    kinds, values = zip(*entries, strict=True)
    rows = conn.execute(
        UPSERT_ENTRIES,
        {"organization_id": organization_id, "kinds": list(kinds), "values": list(values), "now": now},
    )
    return {Entry(EntryKind(kind), value): is_new for kind, value, is_new in rows}


def withdraw_entries(
    conn: Connection, organization_id: UUID, entries: Iterable[Entry], *, claimed_at: datetime
) -> None:
    """Delete *entries* of the organization that nothing has claimed again since *claimed_at*."""
    kinds, values = zip(*entries, strict=True)
    conn.execute(
        WITHDRAW_ENTRIES,
        {"organization_id": organization_id, "kinds": list(kinds), "values": list(values), "claimed_at": claimed_at},
    )


def find_claim(conn: Connection, entry: Entry) -> Claim | None:
    """Return the claim of *entry*, or None without one."""
    row = conn.execute(FIND_CLAIM, entry).fetchone()
    return Claim(*row) if row else None


def take_entry(conn: Connection, organization_id: UUID, entry: Entry, seen: Claim, *, now: datetime) -> bool:
    """Give *entry* to the organization, and return whether the claim was still the one that was *seen*."""
    values = (organization_id, now, *entry, *seen)
    return conn.execute(TAKE_ENTRY, values).rowcount == 1


def list_users(conn: Connection, entry: Entry) -> list[UUID]:
    """Return the organizations of this database that have the value.

    A key is visible in a transaction of its organization only.
    """
    return [organization_id for (organization_id,) in conn.execute(LIST_USERS[entry.kind], (entry.value,))]


def list_values(conn: Connection, organization_id: UUID) -> list[Entry]:
    """Return the values of the organization, in a transaction of it in its home."""
    rows = conn.execute(LIST_VALUES, {"organization_id": organization_id})
    return [Entry(EntryKind(kind), value) for kind, value in rows]


def list_public_values(conn: Connection) -> Iterator[tuple[Entry, UUID]]:
    """Return all values but keys of this database, each with its organization."""
    for kind, value, organization_id in conn.execute(LIST_PUBLIC_VALUES):
        yield Entry(EntryKind(kind), value), organization_id


def delete_entries(conn: Connection, organization_id: UUID) -> None:
    """Delete all entries of the organization, and the answers of its provisioning."""
    conn.execute(DELETE_ENTRIES, (organization_id,))
    conn.execute(DELETE_REQUESTS, (organization_id,))


def has_entering_begun(conn: Connection) -> bool:
    """Return whether `scripts.move values` has begun to enter the values."""
    return conn.execute(FIND_OWNERS, (ENTERING.kind, [ENTERING.value])).fetchone() is not None


def delete_markers(conn: Connection) -> None:
    """Delete the markers of `scripts.move values`.

    Look-ups of a value without an entry then ask each database.
    """
    conn.execute(DELETE_MARKERS, (PLATFORM_LOG,))


def count_entries(conn: Connection, organization_id: UUID) -> Mapping[str, int]:
    """Return the number of the organization's rows in each table of the catalogue."""
    [(entries,)] = conn.execute(COUNT_ENTRIES, (organization_id,))
    [(requests,)] = conn.execute(COUNT_REQUESTS, (organization_id,))
    return {"catalogue_entries": entries, "provisioning_requests": requests}
