"""Defects of what reads and writes."""

from typing import Final

from scripts.prove.mutant import CORE, Mutant

MUTANTS: Final = (
    Mutant(
        name="the tenant is set for the session",
        wall="tenant context per transaction",
        file=f"{CORE}/stores/postgres/client.py",
        old='"SET LOCAL app.current_tenant = {}"',
        new='"SET app.current_tenant = {}"',
    ),
    Mutant(
        name="transactions nest",
        wall="tenant context per transaction",
        file=f"{CORE}/stores/postgres/client.py",
        old='raise RuntimeError("Transactions do not nest.")',
        new="pass",
    ),
    Mutant(
        name="a statement of PostgreSQL forgets its condition",
        wall="the statement's own condition",
        file=f"{CORE}/stores/postgres/users.py",
        old="WHERE organization_id = %s AND status <> 'removed'",
        new="WHERE (organization_id = %s OR true) AND status <> 'removed'",
    ),
    Mutant(
        name="a list forgets its condition",
        wall="the statement's own condition",
        file=f"{CORE}/stores/postgres/audit_log.py",
        old="WHERE l.organization_id = %(organization_id)s AND l.sequence > %(after)s",
        new="WHERE l.sequence > %(after)s",
    ),
    Mutant(
        name="a statement of ClickHouse forgets its condition",
        wall="the statement's own condition",
        file=f"{CORE}/stores/clickhouse/events.py",
        old="WHERE organization_id = {organization_id:UUID} AND reason != 'released' GROUP BY reason",
        new="WHERE {organization_id:UUID} != generateUUIDv4() GROUP BY reason",
    ),
    Mutant(
        name="the reader does not filter",
        wall="the tenant's reader",
        file=f"{CORE}/stores/clickhouse/client.py",
        old='"additional_table_filters": self._filters(),\n',
        new="",
    ),
    Mutant(
        name="the reader forgets a table",
        wall="the tenant's reader",
        file=f"{CORE}/stores/clickhouse/client.py",
        old='        "held_events": "toDate(received_at)",\n',
        new="",
    ),
    Mutant(
        name="the month's counters are those of all organizations",
        wall="organization in every identity",
        file=f"{CORE}/stores/redis/counters.py",
        old='return f"{{{organization_id}}}:usage:',
        new='return f"{{everybody}}:usage:',
    ),
    Mutant(
        name="the rate bucket is that of all organizations",
        wall="organization in every identity",
        file=f"{CORE}/stores/redis/counters.py",
        old='return f"{{{organization_id}}}:rate:{bucket}"',
        new='return f"{{everybody}}:rate:{bucket}"',
    ),
    Mutant(
        name="the reader may write",
        wall="the tenant's reader",
        file=f"{CORE}/stores/clickhouse/client.py",
        old='"readonly": 1,',
        new='"readonly": 0,',
    ),
    Mutant(
        name="a store function takes no organization",
        wall="the statement's own condition",
        file=f"{CORE}/stores/postgres/apps.py",
        old="def count_apps(",
        new="def count_all(conn: Connection) -> int:\n    return conn.pgconn.backend_pid\n\n\ndef count_apps(",
    ),
    Mutant(
        name="a message of events names another organization",
        wall="organization in every identity",
        file=f"{CORE}/stores/aws/event_queue.py",
        old='"StringValue": str(organization_id)}',
        new='"StringValue": str(UUID(int=organization_id.int ^ 1))}',
    ),
    Mutant(
        name="a record goes to the platform's log under the tenant's name",
        wall="organization in every identity",
        file=f"{CORE}/stores/aws/audit_queue.py",
        old="AddressedRecord(organization_id=organization_id, record=record)",
        new="AddressedRecord(organization_id=UUID(int=0), record=record)",
    ),
    Mutant(
        name="derived ids of events are the same for all organizations",
        wall="organization in every identity",
        file=f"{CORE}/rules/events/row.py",
        old="uuid5(organization_id, raw)",
        new="uuid5(UUID(int=0), raw)",
    ),
    Mutant(
        name="exported files of all organizations lie together",
        wall="organization's id before every object's name",
        file=f"{CORE}/stores/aws/exports.py",
        old='return f"{UUID(bytes=organization_id.bytes)}/{name}"',
        new='return f"{UUID(int=0)}/{name}"',
    ),
    Mutant(
        name="an export reads everybody's users",
        wall="the statement's own condition",
        file=f"{CORE}/stores/postgres/exported_rows.py",
        old="""created_at FROM users
    WHERE organization_id = %(organization_id)s AND (""",
        new="""created_at FROM users
    WHERE (""",
    ),
    Mutant(
        name="an erasure takes everybody's events of a table",
        wall="the statement's own condition",
        file=f"{CORE}/stores/clickhouse/platform/organization_rows.py",
        old='"ALTER TABLE held_events DELETE WHERE organization_id = {organization_id:UUID}"',
        new='"ALTER TABLE held_events DELETE WHERE organization_id >= {organization_id:UUID} OR true"',
    ),
    Mutant(
        name="an erasure forgets a table",
        wall="erased or kept on purpose",
        file=f"{CORE}/stores/postgres/platform/organization_rows.py",
        old='"usage_ledger", ',
        new="",
    ),
)
