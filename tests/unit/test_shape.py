"""The shape of the code: sizes, names and the words of docstrings (CONTRIBUTING.md, "How to write")."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

from tests.given import ROOT

CODE = ("functions", "layers/tenancy", "scripts")
VAGUE_NOUNS = re.compile(r"\b(what|who|whoever|whatever|nobody|somebody)\b", re.IGNORECASE)
VAGUE_PER_CENT = 3
BODY_LINES, LONGEST_BODY_LINES = 15, 40
TEST_NAME_CHARACTERS = 60
MOST = 0.9
RULES = re.compile("/(?:rules|gateway)/")

# Modules whose statements share a list of columns or a condition. A new module writes its statements literally.
GLUED = {
    "clickhouse": {
        "events",
        "exported_events",
        "received_events",
        "released_events",
        "shards",
        "statistics",
        "stored_events",
        "subjects",
        "traced_events",
    },
    "postgres": {
        "api_keys",
        "custom_domains",
        "apps",
        "audit_log",
        "audit_logs",
        "compliance",
        "dead_letters",
        "deletions",
        "email_domains",
        "erasures",
        "exported_rows",
        "exports",
        "one_time_tokens",
        "organizations",
        "outbox",
        "platform_keys",
        "quota_notices",
        "session_members",
        "sso_identities",
        "users",
    },
}

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees(*folders: str) -> dict[str, ast.Module]:
    paths = sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders))
    return {path.relative_to(ROOT).as_posix(): parsed(path) for path in paths}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes_by_kind(tree: ast.Module) -> Mapping[type[ast.AST], Sequence[ast.AST]]:
    """Return every node of a module by its class.

    Most nodes are of no interest, and a walk over all takes seconds.
    """
    grouped = defaultdict(list)
    for node in ast.walk(tree):
        grouped[type(node)].append(node)
    return grouped


def nodes[T: ast.AST](kinds: type[T] | tuple[type[T], ...], *folders: str) -> Iterator[tuple[str, T]]:
    """Yield the nodes of exactly these *kinds*, with the path of their module."""
    for path, tree in trees(*folders).items():
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            for node in nodes_by_kind(tree).get(kind, ()):
                assert isinstance(node, kind)
                yield path, node


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield where each docstring of the code stands, and its text."""
    for path, node in nodes((ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef), *CODE):
        assert isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        text = ast.get_docstring(node)
        if text is not None:
            yield f"{path}: {getattr(node, 'name', 'module')}", text


def body_lines(function: Function) -> int:
    """Return the lines of a body without its docstring."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def percentile(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return ordered[int(MOST * (len(ordered) - 1))]


def functions(*folders: str) -> Iterator[tuple[str, Function]]:
    return nodes((ast.FunctionDef, ast.AsyncFunctionDef), *folders)


def test_docstrings_have_nouns_as_subjects() -> None:
    texts = list(docstrings())

    vague = [where for where, text in texts if VAGUE_NOUNS.search(text)]

    assert 100 * len(vague) < VAGUE_PER_CENT * len(texts), vague


def test_first_line_of_a_docstring_is_one_clause() -> None:
    assert [where for where, text in docstrings() if ";" in text.splitlines()[0]] == []


def test_nine_in_ten_functions_are_short() -> None:
    assert percentile(body_lines(function) for _, function in functions(*CODE, "tests")) <= BODY_LINES


def test_no_function_is_long() -> None:
    long = {f"{path}: {each.name}": body_lines(each) for path, each in functions(*CODE, "tests")}

    assert {where: lines for where, lines in long.items() if lines > LONGEST_BODY_LINES} == {}


def test_nine_in_ten_test_names_are_short() -> None:
    names = [len(each.name) for _, each in functions("tests") if each.name.startswith("test_")]

    assert percentile(names) <= TEST_NAME_CHARACTERS


def test_public_classes_have_names_of_their_own() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path, tree in trees(*CODE).items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(path)

    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def constants() -> Iterator[tuple[str, str]]:
    """Yield where each constant of the core is defined, and its name."""
    for path, tree in trees("layers/tenancy").items():
        for node in tree.body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id.isupper() and not target.id.startswith("_"):
                yield path, target.id


def test_constants_of_rules_have_names_of_their_own() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, name in constants():
        places[name].append(path)
    shared = {name: where for name, where in places.items() if len(where) > 1}

    assert {name: where for name, where in shared.items() if any(RULES.search(each) for each in where)} == {}


def test_no_function_takes_a_tenant_and_its_organization_id() -> None:
    both = []
    for path, function in functions("layers/tenancy", "functions"):
        given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        kinds = {ast.unparse(each.annotation) for each in given if each.annotation}
        if "Tenant" in kinds and "organization_id" in {each.arg for each in given}:
            both.append(f"{path}: {function.name}")

    assert both == []


def test_statements_are_literals() -> None:
    glued = {
        (engine, path.rpartition("/")[2].removesuffix(".py"))
        for engine in GLUED
        for path, node in nodes(ast.AnnAssign, f"layers/tenancy/tenancy/stores/{engine}")
        if isinstance(node.value, ast.BinOp | ast.JoinedStr) and "SELECT" in ast.unparse(node.value)
    }

    assert glued <= {(engine, module) for engine, modules in GLUED.items() for module in modules}
