"""Try each statement for ClickHouse with shards on the embedded engine: ``python -m scripts.clickhouse_shards``.

It prints the table of docs/clickhouse.md. With --write it writes the table into the document.
"""

import argparse
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

from scripts.clickhouse_shards.engine import ROOT, TWO_SHARDS, running_engine
from scripts.clickhouse_shards.statements import refresh, try_all, write_table
from tenancy.stores.clickhouse.client import connect

DOCUMENT: Final = ROOT / "docs" / "clickhouse.md"


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.clickhouse_shards", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/clickhouse.md")
    is_written = parser.parse_args().write
    with (
        tempfile.TemporaryDirectory() as directory,
        running_engine(Path(directory)) as url,
        closing(connect(f"{url}/{TWO_SHARDS}")) as client,
    ):
        table = write_table(try_all(client))
    print(table)
    if is_written:
        DOCUMENT.write_text(refresh(DOCUMENT.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
