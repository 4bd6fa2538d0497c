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
    return {route for node in routed(function) for route in _routes_of(node)}


def operator_routes(function: str) -> set[tuple[str, str]]:
    """Return method and path of each route of a function that only operators may call."""
    return {
        route
        for node in routed(function)
        for route in _routes_of(node)
        if "for_operators" in [ast.unparse(each) for each in node.decorator_list]
    }


def routed(function: str) -> Iterator[ast.FunctionDef]:
    return (node for node in nodes(app(function)) if isinstance(node, ast.FunctionDef))


def _routes_of(node: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for call in node.decorator_list:
        match call:
            case ast.Call(func=ast.Attribute(attr=method), args=[ast.Constant(value=str(path)), *_]):
                yield method.upper(), re.sub(r"<(\w+)>", r"{\1}", path)


def texts() -> set[str]:
    """Return all string constants of the functions and of the tenancy package."""
    files = [path for folder in ("functions", "layers/tenancy") for path in ROOT.glob(f"{folder}/**/*.py")]
    return {
        node.value
        for path in files
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
