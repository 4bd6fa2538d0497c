"""Columns: a list of columns stands once, and a statement returns all fields of its class."""

import ast
import importlib
import inspect
import re
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Final, get_type_hints

import pytest

from tenancy.rules.events.frames import EventTable
from tenancy.rules.events.row import EventRow
from tenancy.stores.clickhouse.exported_events import EXPORTED_COLUMNS
from tenancy.stores.clickhouse.platform.events import COLUMNS, EVENT_COLUMNS
from tenancy.stores.clickhouse.platform.released_events import INSERT_MARKED, INSERT_MARKS, INSERT_RELEASED
from tests.given import ROOT, Databases

LAYER: Final = ROOT / "layers/tenancy"
FILES: Final = sorted((LAYER / "tenancy/stores").rglob("*.py"))
FIRST_REPORTED_LENGTH: Final = 4
INNERMOST: Final = re.compile(r"\(([^()]*)\)")
KEYWORDS: Final = re.compile(
    r"\b(?:SELECT|FROM|WHERE|GROUP|ORDER|BY|INTO|VALUES|RETURNING|DISTINCT|SET|ON|USING|LIMIT|HAVING|UNION|ALL)\b"
)
COLUMN: Final = re.compile(r"(?:\w+\.)?([a-z_][a-z_0-9]*)")
PLACEHOLDER: Final = " ? "
LIST_COLUMNS: Final = """
    SELECT name, type, default_expression FROM system.columns
    WHERE database = currentDatabase() AND table = {table:String}
"""
TEXT_TYPES: Final = {"String", "LowCardinality(String)"}
COMPUTED: Final = {"created_at", "version", "bytes"}  # by ClickHouse
NOT_EXPORTED: Final = {"organization_id", "device_names", "user_names"}  # the caller's own, and repeated from the event
NOT_BILLED: Final = {"currency", "reason"}


class Texts(ast.NodeVisitor):
    """The strings of a module by line, without docstrings. Constants become placeholders."""

    def __init__(self, tree: ast.Module) -> None:
        self.by_line: dict[int, str] = {}
        self.visit(tree)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self.by_line[node.lineno] = text_of(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.by_line[node.lineno] = text_of(node)


def text_of(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left) + text_of(right)
    return PLACEHOLDER


def fold(sql: str) -> tuple[str, list[str]]:
    """Return *sql* with a placeholder for each pair of parentheses, and the texts within them."""
    within = []
    while found := INNERMOST.search(sql):
        within.append(found[1])
        sql = sql[: found.start()] + PLACEHOLDER + sql[found.end() :]
    return sql, within


def column_lists(sql: str) -> Iterator[tuple[str, ...]]:
    """Yield each run of at least four columns that no expression, alias or parameter interrupts."""
    outer, within = fold(sql)
    for clause in (clause for part in (outer, *within) for clause in KEYWORDS.split(part)):
        columns = [COLUMN.fullmatch(item.strip()) for item in clause.split(",")]
        for is_column, run in groupby(columns, key=bool):
            names = tuple(each[1] for each in run if each)
            if is_column and len(names) >= FIRST_REPORTED_LENGTH:
                yield names


def result_columns(sql: str) -> list[str]:
    """Return the names of the columns that *sql* returns."""
    outer, _ = fold(sql)
    _, _, returned = outer.rpartition("RETURNING")
    if returned == outer:
        returned = outer.partition("SELECT")[2].partition("FROM")[0]
    return [re.sub(r"::\w+", "", item).split()[-1].rpartition(".")[2] for item in returned.split(",")]


def expected_columns(factory: Callable[..., object]) -> set[str]:
    """Return the columns that *factory* needs: the fields, or its own parameters for them."""
    if is_dataclass(factory):
        return {field.name for field in fields(factory)}
    cls = get_type_hints(factory)["return"]
    parameters = inspect.signature(factory).parameters.values()
    named = {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    source = ast.parse(textwrap.dedent(inspect.getsource(factory)))
    [call] = [each for each in calls_in(source, cls.__name__) if any(keyword.arg is None for keyword in each.keywords)]
    return named | ({field.name for field in fields(cls)} - {keyword.arg for keyword in call.keywords if keyword.arg})


def calls_in(node: ast.AST, *names: str) -> list[ast.Call]:
    """Return the calls of *names*, which may be `cursor.execute`, within *node*."""
    return [each for each in ast.walk(node) if isinstance(each, ast.Call) and ast.unparse(each.func) in names]


def row_statements() -> Iterator[tuple[str, str, Callable[..., object]]]:
    """Yield place, text and row factory of each statement whose rows become dataclasses."""
    for file in FILES:
        module = import_store(file)
        for function in (each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.FunctionDef)):
            for row in calls_in(function, "class_row", "kwargs_row"):
                [execute] = calls_in(function, "cursor.execute")
                statement, factory = ast.unparse(execute.args[0]), ast.unparse(row.args[0])
                place = f"{module.__name__}.{statement}"
                yield place, getattr(module, statement), getattr(module, factory)


def import_store(file: Path) -> ModuleType:
    return importlib.import_module(".".join(file.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__"))


def test_lists_of_columns_are_found() -> None:
    statement = "INSERT INTO t (a, b, c, d) SELECT x.e, x.f, g, h, now() AS i, j, k FROM u WHERE (l, m, n, o) = ?"

    assert sorted(column_lists(statement)) == [("a", "b", "c", "d"), ("e", "f", "g", "h"), ("l", "m", "n", "o")]


def test_a_list_of_columns_stands_in_one_statement() -> None:
    places = defaultdict(set)
    for file in FILES:
        for line, text in Texts(ast.parse(file.read_text())).by_line.items():
            for columns in column_lists(text):
                places[columns].add(f"{file.relative_to(LAYER)}:{line}")

    assert {columns: sorted(found) for columns, found in places.items() if len(found) > 1} == {}, "use a constant"
    assert len(places) > len(FILES) / 2


def test_the_columns_of_a_result_are_found() -> None:
    query = "WITH u AS (SELECT z FROM v) SELECT t.a, b::text, count(*) AS c, NULL::bytea AS d FROM t"
    update = "UPDATE t SET a = (SELECT b FROM u) RETURNING a, t.b AS c"

    assert result_columns(query) == ["a", "b", "c", "d"]
    assert result_columns(update) == ["a", "c"]


def test_a_statement_returns_every_field_of_its_class() -> None:
    found = {
        place: (sorted(result_columns(sql)), sorted(expected_columns(row))) for place, sql, row in row_statements()
    }

    assert {place: columns for place, columns in found.items() if columns[0] != columns[1]} == {}
    assert {place.rpartition(".")[2] for place in found} > {"FIND_ORGANIZATION", "LIST_ENTRIES", "CLAIM_ENTRIES"}


def test_a_row_has_every_column_that_load_inserts() -> None:
    assert list(COLUMNS["held_events"]) == [*EventRow.__struct_fields__]


def test_an_export_has_every_column_of_an_event() -> None:
    exported = EXPORTED_COLUMNS.split(", ")

    assert {*exported} | NOT_EXPORTED == {*EVENT_COLUMNS}
    assert NOT_EXPORTED.isdisjoint(exported)


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_every_column_that_load_inserts(databases: Databases, table: EventTable) -> None:
    stored = databases.clickhouse.query(LIST_COLUMNS, parameters={"table": table}).result_rows

    assert {name for name, _, _ in stored} == {*COLUMNS[table]} | COMPUTED


@pytest.mark.parametrize("table", COLUMNS)
def test_the_bytes_of_an_event_are_those_of_its_texts(databases: Databases, table: EventTable) -> None:
    stored = databases.clickhouse.query(LIST_COLUMNS, parameters={"table": table}).result_rows

    [counted] = [re.findall(r"\w+", expression) for name, _, expression in stored if name == "bytes"]
    texts = {name for name, column_type, _ in stored if column_type in TEXT_TYPES}
    assert {*counted} == {"byteSize"} | (texts - NOT_BILLED)


@pytest.mark.parametrize(
    ("statement", "computed"),
    [
        (INSERT_RELEASED, ["received_at", "created_at"]),
        (INSERT_MARKED, ["event_timestamp", "received_at", "created_at"]),
    ],
    ids=["due", "marked"],
)
def test_a_release_inserts_every_column_of_an_event(statement: str, computed: list[str]) -> None:
    inserted = max(column_lists(statement), key=len)

    selected = result_columns(statement)

    assert sorted(inserted) == sorted([*EVENT_COLUMNS, "created_at"])
    assert "nowInBlock('UTC')" in statement
    assert [column for column, value in zip(inserted, selected, strict=True) if column != value] == computed


def test_a_mark_has_every_column_of_a_held_event() -> None:
    inserted = max(column_lists(INSERT_MARKS), key=len)

    assert sorted(inserted) == sorted([*COLUMNS["held_events"], "version"])
    assert COLUMNS["held_events"] == (*EVENT_COLUMNS, "reason")
