"""Rules of a distributed PostgreSQL (Citus, Aurora Limitless) for the tables of this schema.

A distributed table is divided among nodes by its organization. Equal organizations are on one node. A reference table
is whole on each node. A local table is on one node. Sources: Citus, "Creating and Modifying Distributed Objects (DDL)";
Amazon Aurora User Guide, "Aurora PostgreSQL Limitless Database", "DDL limitations".

Each rule returns the names of those that break it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tenancy.stores.postgres.client import Connection

UNIQUE_AMONG_ALL: Final = "has values that are unique among all organizations, so each node needs it whole"
DIRECTORY: Final = "the directory of several databases, which a distributed database does not use"
REFERENCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "key_digests": UNIQUE_AMONG_ALL,
        "organization_names": UNIQUE_AMONG_ALL,
        "proven_email_domains": UNIQUE_AMONG_ALL,
        "listed_custom_domains": UNIQUE_AMONG_ALL,
        "provisioning_requests": UNIQUE_AMONG_ALL,
        "quarantined_subdomains": UNIQUE_AMONG_ALL,
        "catalogue_entries": DIRECTORY,
        "bucket_homes": DIRECTORY,
        "organization_homes": DIRECTORY,
        "moved_organizations": DIRECTORY,
    }
)
LOCAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "schema_migrations": "the migrations of the deployment",
        "leases": "one row for each schedule",
        "roll_ups": "one row for each schedule",
        "clean_ups": "one row for each schedule",
        "platform_keys": "the operators' keys, of no organization",
    }
)
# Citus refuses a trigger on a distributed table unless `citus.enable_unsafe_triggers` is on. Limitless has none.
TRIGGERS: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(
        ("list_key_digest", "list_organization_names", "list_proven_domain", "list_custom_domain"),
        "writes a reference table, so the statements would have to write it in its place",
    )
)
UNIQUE_WITHOUT_ORGANIZATION: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(
        ("audit_log_id_key", "audit_refusals_id_key"),
        "for functions of an earlier release (docs/decisions/0047-composite-keys.md)",
    )
)
# `organizations` is distributed by its id, and all others by organization_id.
DISTRIBUTED: Final = """
    WITH distributed AS (
        SELECT c.oid, c.relname, a.attnum, a.atttypid, a.attnotnull, a.attgenerated
        FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
          AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relname = ANY (%(others)s)
    )
"""
LIST_UNDIVIDED: Final = (
    DISTRIBUTED
    + """
    SELECT relname FROM distributed
    WHERE attnum IS NULL OR atttypid <> 'uuid'::regtype OR NOT attnotnull OR attgenerated <> ''
    ORDER BY relname
"""
)
LIST_UNIQUE: Final = (
    DISTRIBUTED
    + """
    SELECT i.indexrelid::regclass::text FROM distributed AS d JOIN pg_index AS i ON i.indrelid = d.oid
    WHERE (i.indisunique OR i.indisexclusion) AND NOT d.attnum = ANY (i.indkey)
    UNION ALL
    SELECT relname || ' without a primary key' FROM distributed
    WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = oid AND indisprimary)
    ORDER BY 1
"""
)
# A key from one distributed table to another must pair their organizations. It may not clear the column of one.
LIST_FOREIGN_KEYS: Final = (
    DISTRIBUTED
    + """
    SELECT k.conname FROM pg_constraint AS k
    LEFT JOIN distributed AS d ON d.oid = k.conrelid LEFT JOIN distributed AS r ON r.oid = k.confrelid
    WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND NOT (
        d.oid IS NULL AND r.oid IS NULL
        OR d.oid IS NOT NULL AND r.oid IS NULL AND k.confrelid::regclass::text = ANY (%(reference)s)
        OR d.oid IS NOT NULL AND r.oid IS NOT NULL AND k.confdeltype IN ('a', 'r', 'c') AND EXISTS (
            SELECT FROM unnest(k.conkey, k.confkey) AS pair (here, there)
            WHERE pair.here = d.attnum AND pair.there = r.attnum
        )
    )
    ORDER BY 1
"""
)
LIST_IDENTITIES: Final = (
    DISTRIBUTED
    + """
    SELECT d.relname || '.' || a.attname FROM distributed AS d JOIN pg_attribute AS a ON a.attrelid = d.oid
    WHERE (a.attidentity <> '' OR pg_get_serial_sequence(d.relname, a.attname) IS NOT NULL)
      AND a.atttypid <> 'bigint'::regtype
"""
)
LIST_TRIGGERS: Final = (
    DISTRIBUTED
    + """
    SELECT t.tgname FROM distributed AS d JOIN pg_trigger AS t ON t.tgrelid = d.oid WHERE NOT t.tgisinternal
    ORDER BY 1
"""
)
LIST_OTHERS: Final = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i', 'S')
    UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits
    UNION ALL SELECT rulename FROM pg_rewrite WHERE ev_class::regclass::text IN (
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    )
"""


def undivided_tables(conn: Connection) -> list[str]:
    """Return distributed tables without a column for the organization, of one type and never NULL."""
    return _names(conn, LIST_UNDIVIDED)


def unique_without_organization(conn: Connection) -> list[str]:
    """Return unique indexes of distributed tables that do not contain the organization, without those with a reason."""
    return [name for name in _names(conn, LIST_UNIQUE) if name not in UNIQUE_WITHOUT_ORGANIZATION]


def foreign_keys_between_nodes(conn: Connection) -> list[str]:
    """Return foreign keys whose two rows may be on different nodes."""
    return _names(conn, LIST_FOREIGN_KEYS)


def narrow_identities(conn: Connection) -> list[str]:
    """Return columns with a sequence that are no bigint: each node takes values from a range of its own."""
    return _names(conn, LIST_IDENTITIES)


def unexplained_triggers(conn: Connection) -> list[str]:
    """Return triggers of distributed tables without a reason."""
    return [name for name in _names(conn, LIST_TRIGGERS) if name not in TRIGGERS]


def other_relations(conn: Connection) -> list[str]:
    """Return views, rules, partitioned and inherited tables."""
    return _names(conn, LIST_OTHERS)


def _names(conn: Connection, statement: str) -> list[str]:
    values = {"others": [*REFERENCE, *LOCAL], "reference": list(REFERENCE)}
    return [str(name) for (name,) in conn.execute(statement.encode(), values).fetchall()]
