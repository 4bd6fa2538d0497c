"""What the Python of the functions uses of settings, secrets and routes, read from its syntax tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tenancy.stores.aws import secrets
from tests.given import ROOT

SETTINGS = ROOT / "layers" / "tenancy" / "tenancy" / "settings.py"


def nodes(path: Path) -> Iterator[ast.AST]:
    """Yield all nodes of a file's syntax tree."""
    return ast.walk(ast.parse(path.read_text()))


def app(function: str) -> Path:
    return ROOT / "functions" / function / "app.py"


def setting_variables() -> dict[str, str]:
    """Return the environment variables that settings.py reads, each with the field that it fills."""
    return {
        variable: field.arg
        for call in nodes(SETTINGS)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "cls"
        for field in call.keywords
        for variable in _variables_in(field.value)
        if field.arg is not None
    }


def _variables_in(value: ast.expr) -> Iterator[str]:
    """Yield the names in `environ["NAME"]` and `environ.get("NAME", …)`."""
    for node in ast.walk(value):
        match node:
            case ast.Subscript(value=ast.Name(id="environ"), slice=ast.Constant(value=str(name))):
                yield name
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="environ"), attr="get"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name


def variables_read(function: str) -> set[str]:
    """Return the environment variables whose fields of `settings` a function reads."""
    fields = {
        node.attr
        for node in nodes(app(function))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "settings"
    }
    return {variable for variable, field in setting_variables().items() if field in fields}


def secrets_read(function: str) -> set[str]:
    """Return the names of the secrets that a function passes to `get_secret`."""
    return {
        getattr(secrets, call.args[0].id)
        for call in nodes(app(function))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "get_secret"
        and isinstance(call.args[0], ast.Name)
    }


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
