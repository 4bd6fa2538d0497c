"""Texts in PostgreSQL's files after VACUUM: heaps, TOAST tables, indexes, statistics."""

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import psycopg

VACUUM = "VACUUM (ANALYZE, INDEX_CLEANUP ON)"  # daily, as docs/operations.md says
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


def texts_after_vacuum(conn: psycopg.Connection[Any], *, excluded: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Run VACUUM, then yield the place and text of each item in the files of tables.

    Tables in *excluded* are left out. An item is a row, a part of one in a TOAST table, an index entry or a statistic.
    VACUUM does not overwrite freed space. So only items count that a line pointer of their page still reaches.
    """
    conn.execute(VACUUM)
    conn.execute("CHECKPOINT")
    [(directory,)] = conn.execute("SHOW data_directory").fetchall()
    for place, file in conn.execute(LIST_FILES, (sorted(excluded),)).fetchall():
        for item in items_in((Path(directory) / file).read_bytes()):
            yield place, item.decode("latin-1")
    yield from conn.execute(LIST_STATISTICS, (sorted(excluded),)).fetchall()


def items_in(relation: bytes) -> Iterator[bytes]:
    """Return every live and dead item of a relation's pages.

    Source: the PostgreSQL manual, "Database Page Layout".
    """
    for start in range(0, len(relation), PAGE_BYTES):
        page = relation[start : start + PAGE_BYTES]
        [end_of_pointers] = struct.unpack_from("<H", page, 12)
        for (pointer,) in struct.iter_unpack("<I", page[PAGE_HEADER_BYTES : end_of_pointers & ~3]):
            offset, flags, length = pointer & 0x7FFF, pointer >> 15 & 3, pointer >> 17
            if flags in {LP_NORMAL, LP_DEAD} and length:
                yield page[offset : offset + length]
