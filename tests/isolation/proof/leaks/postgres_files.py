"""What PostgreSQL's files still have: tables, what is stored beside them, indexes, and the planner's statistics."""

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import psycopg

VACUUM = "VACUUM (ANALYZE, INDEX_CLEANUP ON)"  # what docs/operations.md schedules, daily
REINDEX = "REINDEX SCHEMA CONCURRENTLY public"  # weekly
LIST_FILES = """
    WITH tables AS (
        SELECT oid, relname, reltoastrelid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL (%s)
    )
    SELECT 'heap of ' || relname, pg_relation_filepath(oid) FROM tables
    UNION ALL SELECT 'TOAST of ' || relname, pg_relation_filepath(reltoastrelid) FROM tables WHERE reltoastrelid <> 0
    UNION ALL SELECT 'index of ' || relname, pg_relation_filepath(i.indexrelid)
    FROM tables JOIN pg_index AS i ON i.indrelid IN (tables.oid, tables.reltoastrelid)
"""
LIST_STATISTICS = """
    SELECT 'statistics of ' || c.relname, concat_ws(
        '|', s.stavalues1::text, s.stavalues2::text, s.stavalues3::text, s.stavalues4::text, s.stavalues5::text
    )
    FROM pg_statistic AS s JOIN pg_class AS c ON c.oid = s.starelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> ALL (%s)
"""
PAGE_BYTES, PAGE_HEADER_BYTES, LP_NORMAL, LP_DEAD = 8192, 24, 1, 3


def texts_after_vacuum(conn: psycopg.Connection[Any], *, but: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield whatever the files of all tables *but* those lead to, with the place: row, part of one, index entry.

    What VACUUM frees it does not overwrite: searched is whatever a line pointer of a page still leads to.
    """
    conn.execute(VACUUM)
    conn.execute("CHECKPOINT")
    [(directory,)] = conn.execute("SHOW data_directory").fetchall()
    for where, file in conn.execute(LIST_FILES, (sorted(but),)).fetchall():
        for item in items_in((Path(directory) / file).read_bytes()):
            yield where, item.decode("latin-1")
    yield from conn.execute(LIST_STATISTICS, (sorted(but),)).fetchall()


def items_in(relation: bytes) -> Iterator[bytes]:
    """Return every item, dead or alive, that the pages of a relation point at (PostgreSQL: database page layout)."""
    for start in range(0, len(relation), PAGE_BYTES):
        page = relation[start : start + PAGE_BYTES]
        [end_of_pointers] = struct.unpack_from("<H", page, 12)
        for (pointer,) in struct.iter_unpack("<I", page[PAGE_HEADER_BYTES : end_of_pointers & ~3]):
            offset, flags, length = pointer & 0x7FFF, pointer >> 15 & 3, pointer >> 17
            if flags in {LP_NORMAL, LP_DEAD} and length:
                yield page[offset : offset + length]
