"""Statements that lock several rows lock them in an order, so that two of them cannot wait for each other."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.given import ROOT

STORES: Final = ROOT / "layers/tenancy/tenancy/stores/postgres"
LOCK: Final = re.compile(r"\bFOR (?:NO KEY )?UPDATE\b")
ORDERED: Final = re.compile(r"\bORDER BY\b")
SKIPPING: Final = re.compile(r"\bSKIP LOCKED\b")
ONE_ROW: Final = re.compile(r"\b(?:id|domain|\w*digest) = %|\bFROM audit_heads WHERE organization_id = %")
APPENDED: Final = " FOR NO KEY UPDATE"  # to a statement that selects one id


def locking_statements() -> Iterator[tuple[str, str]]:
    """Yield each literal with a lock, with the place where it stands."""
    for path in sorted(STORES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and LOCK.search(node.value):
                yield f"{path.relative_to(STORES)}:{node.lineno}", node.value


def is_ordered(statement: str) -> bool:
    """Whether the lock of *statement* is of one row, in an order, or waits for none."""
    selected = LOCK.split(statement)[0].rpartition("SELECT")[2]
    return bool(ORDERED.search(selected) or ONE_ROW.search(selected) or SKIPPING.search(statement))


def test_there_are_statements_with_a_lock() -> None:
    assert len(list(locking_statements())) > 10


def test_locks_of_several_rows_are_taken_in_an_order() -> None:
    unordered = {place: text for place, text in locking_statements() if text != APPENDED and not is_ordered(text)}

    assert unordered == {}


def test_statement_without_an_order_is_found() -> None:
    statement = "UPDATE keys SET a = 1 FROM (SELECT id FROM keys WHERE app_id = ANY(%s) FOR NO KEY UPDATE) AS locked"

    assert not is_ordered(statement)
