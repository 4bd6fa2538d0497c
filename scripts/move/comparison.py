"""Counts and checksums of an organization's rows on both sides of a move."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID

from psycopg import sql

from scripts.move.databases import Connection
from scripts.move.errors import MoveError
from scripts.move.tables import Table

# The sum of a hash of each row does not depend on the order of the rows.
SUM_ROWS: Final = sql.SQL("""
    SELECT count(*), coalesce(sum(
        ('x' || left(encode(sha256(convert_to(moved_row::text, 'UTF8')), 'hex'), 15))::bit(60)::bigint
    ), 0)::text
    FROM {table} AS moved_row WHERE {column} = %s
""")
LIMIT_STATEMENT: Final = "SET LOCAL statement_timeout = {limit}"
SET_TENANT: Final = "SELECT set_config('app.current_tenant', %s, true)"

type Sums = Mapping[str, tuple[int, str]]


def require_equal_rows(
    source: Connection, target: Connection, tables: Sequence[Table], organization_id: UUID, *, deadline: float
) -> int:
    """Compare all rows of the organization, and return their number.

    *source* is in a transaction that holds the fence. *deadline* is a time of `time.monotonic`.

    Raises:
        MoveError: a table differs.
        psycopg.errors.QueryCanceled: the deadline has passed.
    """
    with ThreadPoolExecutor(max_workers=1) as other, target.transaction():
        of_target = other.submit(_sum_rows, target, tables, organization_id, deadline)
        expected = _sum_rows(source, tables, organization_id, deadline)
        found = of_target.result()
    different = sorted(name for name, sums in expected.items() if found[name] != sums)
    if different:
        counts = ", ".join(f"{name} ({expected[name][0]} and {found[name][0]} rows)" for name in different)
        raise MoveError(f"These tables differ between source and target: {counts}. The target's copy is removed.")
    return sum(count for count, _ in expected.values())


def _sum_rows(conn: Connection, tables: Sequence[Table], organization_id: UUID, deadline: float) -> Sums:
    conn.execute(SET_TENANT, (str(organization_id),))
    sums = {}
    for table in tables:
        left = max(1, int((deadline - time.monotonic()) * 1000))
        conn.execute(sql.SQL(LIMIT_STATEMENT).format(limit=sql.Literal(left)))
        [(count, total)] = conn.execute(table.format(SUM_ROWS), (organization_id,)).fetchall()
        sums[table.name] = (int(count), str(total))
    return sums
