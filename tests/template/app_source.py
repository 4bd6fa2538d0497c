"""Routes and texts in the Python of the functions, read from its syntax tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.given import ROOT


def nodes(path: Path) -> Iterator[ast.AST]:
    """Yield all nodes of a file's syntax tree."""
    return ast.walk(ast.parse(path.read_text()))


def app(function: str) -> Path:
    return ROOT / "functions" / function / "app.py"


def resolver_routes(function: str) -> set[tuple[str, str]]:
    """Return method and path of each route that a function registers with its resolver."""
    return {
        (call.func.attr.upper(), re.sub(r"<(\w+)>", r"{\1}", call.args[0].value))
        for node in nodes(app(function))
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def texts() -> set[str]:
    """Return all string constants of the functions and of the tenancy package."""
    files = [path for folder in ("functions", "layers/tenancy") for path in ROOT.glob(f"{folder}/**/*.py")]
    return {
        node.value
        for path in files
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
