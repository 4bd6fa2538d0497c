"""A regular expression for texts of clients matches the whole text.

`$` also matches before a final line break, and `re.match` ignores the rest of a text.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.unit.test_shape import nodes, trees

CODE = ("functions", "layers/tenancy")
OWN = "Matching"  # of gateway/parameters.py
COMPARES = frozenset({"match", "search"})  # with a part of a text
SEARCHED = "pattern"  # the keyword of msgspec, which searches
ESCAPES_AND_CLASSES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
# Texts of which a part is compared on purpose.
PARTS = {
    "ACCESS_MANAGEMENT.match": "the first words of our own migration",
    "BODY_KEY.match": "a member of a body, at the place of its name",
    "OF_ORGANIZATION.search": "the end of a target, which we wrote",
    "RESERVED_LDH.match": "the first four characters of a label",
}


def assigned_texts(modules: Iterable[ast.Module]) -> dict[str, set[str]]:
    """Return all texts in values that are assigned to each name."""
    found: dict[str, set[str]] = defaultdict(set)
    for node in (node for module in modules for node in ast.walk(module)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                found[ast.unparse(target)].update(texts_in(node.value, {}))
    return found


def texts_in(expression: ast.expr, assigned: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the texts in *expression*, also those of names in it."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        elif isinstance(node, ast.Name):
            yield from assigned.get(node.id, ())


def patterns_in(call: ast.Call) -> Iterator[ast.expr]:
    function = ast.unparse(call.func)
    if call.args and (function.startswith("re.") or function == OWN):
        yield call.args[0]
    yield from searched_in(call)


def searched_in(call: ast.Call) -> Iterator[ast.expr]:
    yield from (keyword.value for keyword in call.keywords if keyword.arg == SEARCHED)


def has_dollar(pattern: str) -> bool:
    return "$" in ESCAPES_AND_CLASSES.sub("", pattern)


@pytest.mark.parametrize("pattern", ["a$", "(a$|b)", r"\\$", "[]a]$", "^[0-9]{1,32}(\\.[0-9]{1,6})?$"])
def test_dollar_that_ends_a_pattern_is_found(pattern: str) -> None:
    assert has_dollar(pattern)
    assert re.search(pattern, "a\n") or "a" not in pattern


@pytest.mark.parametrize("pattern", [r"a\Z", r"\$", "[$]", r"[\]$]", "[^$]", "[]$]"])
def test_dollar_as_a_character_is_allowed(pattern: str) -> None:
    assert not has_dollar(pattern)


def test_no_pattern_allows_a_final_line_break() -> None:
    assigned = assigned_texts(trees(*CODE).values())
    found = {
        f"{path}: {text}": has_dollar(text)
        for path, call in nodes(ast.Call, *CODE)
        for pattern in patterns_in(call)
        for text in texts_in(pattern, assigned)
    }

    assert len(found) > 20
    assert [where for where, is_at_fault in found.items() if is_at_fault] == []


def test_pattern_of_msgspec_is_anchored_at_both_ends() -> None:
    assigned = assigned_texts(trees(*CODE).values())
    found = {
        f"{path}: {text}": text.startswith("^") and text.endswith(r"\Z")
        for path, call in nodes(ast.Call, *CODE)
        for pattern in searched_in(call)
        for text in texts_in(pattern, assigned)
    }

    assert len(found) > 1
    assert [where for where, is_anchored in found.items() if not is_anchored] == []


def test_text_is_compared_as_a_whole() -> None:
    called = {ast.unparse(call.func) for _, call in nodes(ast.Call, *CODE)}

    assert {each for each in called if each.rpartition(".")[2] in COMPARES} == set(PARTS)
