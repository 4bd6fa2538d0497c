"""A function gets the variables and secrets that its code uses, and no others."""

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from scripts.release_names import FILE
from tenancy.rules.database_users import RotatedSecret
from tenancy.settings import EVERYWHERE, OPTIONAL, VARIABLES, InvalidSettingError
from tenancy.stores.aws import secrets
from tests.given import ROOT
from tests.handlers.functions import running
from tests.members import for_each
from tests.template.template import FOLDERS, GLOBAL_VARIABLES, secrets_with, variables

WITHOUT_SETTINGS = {"health"}
WITHOUT_VALUE = OPTIONAL | {"AWS_ENDPOINT_URL"}
RETIRED_SECRETS = [("authorizer", "database", "authorizer-database")]  # function, its old secret, its new one
# The use cases of these functions name them, not the wiring.
READ_TO_CHANGE: Mapping[str, set[str]] = {
    "rotate_users": {each.value for each in RotatedSecret},
    "token_keys": {secrets.TOKEN_PUBLIC_KEYS, secrets.TOKEN_SIGNING_KEYS},
}
VALUES: Mapping[str, str] = MappingProxyType(dict.fromkeys(set(VARIABLES) - OPTIONAL, "1"))
FIELDS = {field: name for name, (field, _) in VARIABLES.items()}
SECRET_NAMES = {name: value for name, value in vars(secrets).items() if name.isupper() and isinstance(value, str)}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def app_of(function: str) -> ast.Module:
    return parse(ROOT / "functions" / function / "app.py")


def attributes_of(tree: ast.AST, name: str) -> set[str]:
    """Return each `x` in `name.x` of *tree*."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {name, f"self.{name}"}
    }


@cache
def wiring_methods() -> dict[str, ast.FunctionDef]:
    tree = parse(ROOT / "layers/tenancy/tenancy/wiring.py")
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def used_methods(function: str) -> Iterator[ast.FunctionDef]:
    """Yield the methods of Wiring that the function uses, directly or through another one."""
    pending = attributes_of(app_of(function), "wiring") | _called_at_once(function)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        seen.add(name)
        if name in wiring_methods():
            method = wiring_methods()[name]
            yield method
            pending |= attributes_of(method, "self") - seen


def _called_at_once(function: str) -> set[str]:
    """Return `x` in `Wiring(...).x`."""
    return {
        node.attr
        for node in ast.walk(app_of(function))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).startswith("Wiring(")
    }


def asked_for(function: str) -> set[str]:
    """Return the names that the function gives to `Settings.from_env`."""
    calls = [node for node in ast.walk(app_of(function)) if isinstance(node, ast.Call)]
    [names] = [call.args for call in calls if ast.unparse(call.func) == "Settings.from_env"] or [[]]
    return {ast.literal_eval(name) for name in names}


@for_each("function", FOLDERS)
def test_template_sets_the_variables_a_function_asks_for(function: str) -> None:
    assert asked_for(function) | GLOBAL_VARIABLES == variables(function)


@for_each("function", FOLDERS)
def test_function_asks_for_the_settings_it_uses(function: str) -> None:
    fields = attributes_of(app_of(function), "settings")
    for method in used_methods(function):
        fields |= attributes_of(method, "settings")

    assert {FIELDS[field] for field in fields if field in FIELDS} - set(EVERYWHERE) == asked_for(function)


@for_each(("function", "variable"), [(each, name) for each in FOLDERS for name in sorted(variables(each))])
def test_function_refuses_to_start_without_a_variable(function: str, variable: str) -> None:
    if variable in WITHOUT_VALUE or function in WITHOUT_SETTINGS:
        return
    values = {name: value for name, value in VALUES.items() if name != variable}

    with (
        pytest.raises(InvalidSettingError, match=f"{variable} is missing"),
        running(function, {**values, variable: ""}),
    ):
        pass


def retired_secrets(function: str) -> set[str]:
    """Return secrets that only the release before reads: a deploy changes policies before it changes code.

    Once the release before reads the newer secret, the permission must go.
    """
    used_before = json.loads(FILE.read_text())["strings"]
    return {old for name, old, new in RETIRED_SECRETS if name == function and new not in used_before}


@for_each("function", FOLDERS)
def test_function_may_read_the_secrets_it_uses(function: str) -> None:
    used = {
        SECRET_NAMES[node.id]
        for method in used_methods(function)
        for node in ast.walk(method)
        if isinstance(node, ast.Name) and node.id in SECRET_NAMES
    }

    allowed = secrets_with(function, "secretsmanager:GetSecretValue") - {secrets.PLATFORM_KEY}

    assert allowed - used == retired_secrets(function) | READ_TO_CHANGE.get(function, set())
    assert used <= allowed


def test_token_keys_alone_writes_the_keys_of_access_tokens() -> None:
    keys = {secrets.TOKEN_PUBLIC_KEYS, secrets.TOKEN_SIGNING_KEYS}

    writers = [function for function in FOLDERS if secrets_with(function, "secretsmanager:PutSecretValue") & keys]

    assert writers == ["token_keys"]


def test_identity_alone_may_read_the_private_keys_to_sign() -> None:
    readers = {
        function
        for function in FOLDERS
        if secrets.TOKEN_SIGNING_KEYS in secrets_with(function, "secretsmanager:GetSecretValue")
    }

    assert readers <= {"identity", "token_keys"}


def test_every_variable_is_set_for_a_function() -> None:
    given = set().union(*(variables(function) for function in FOLDERS))

    assert set(VARIABLES) | WITHOUT_VALUE == given


def test_every_variable_is_documented() -> None:
    documented = (ROOT / "docs/operations.md").read_text()

    assert [name for name in VARIABLES if f"`{name}`" not in documented] == []
