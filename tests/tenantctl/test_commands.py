"""Rules for each command, which the tests find by themselves."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
import typer.main

from scripts.tenantctl import audit, keys, orgs
from scripts.tenantctl.app import app
from scripts.tenantctl.commands import OUTPUTS, examples_of
from scripts.tenantctl.errors import CommandError, ExitCode
from tests.given import ROOT
from tests.members import for_each
from tests.tenantctl.processes import Tenantctl

DOCUMENT = (ROOT / "docs" / "tenantctl.md").read_text()
ALLOWED = {"cryptography", "rich", "scripts", "typer"}
SECRETS = ("key", "password", "secret", "token")
FORBIDDEN = ("boto3", "botocore", "clickhouse_connect", "hiredis", "psycopg", "redis", "tenancy", "scripts.stack")


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's click is private
    for name, command in group.commands.items():
        full = f"{path} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, full)
        else:
            yield full, command


COMMANDS: Mapping[str, Any] = dict(commands(typer.main.get_command(app)))


@for_each(
    "document", sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
)
def test_document_names_commands_that_exist(document: str) -> None:
    named = re.findall(r"`tenantctl ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", (ROOT / document).read_text())

    known = {*COMMANDS, *(name.partition(" ")[0] for name in COMMANDS)}
    assert [each for each in named if each not in known and each.partition(" ")[0] not in COMMANDS] == []


def test_each_command_declares_its_output() -> None:
    assert set(COMMANDS) == set(OUTPUTS)


@for_each("name", sorted(COMMANDS))
def test_help_has_examples_of_the_command(name: str) -> None:
    command = COMMANDS[name]

    examples = examples_of(command.epilog)

    assert examples
    assert [each for each in examples if not each.startswith(f"tenantctl {name}")] == []


@for_each("name", sorted(COMMANDS))
def test_each_command_has_json(name: str) -> None:
    assert any("--json" in each.opts for each in COMMANDS[name].params)


@for_each("name", sorted(COMMANDS))
def test_no_option_takes_a_secret(name: str) -> None:
    options = [each for each in COMMANDS[name].params if any(word in each.name for word in SECRETS)]
    taking = {each.opts[0] for each in options if not getattr(each, "is_flag", False)}

    assert taking <= {"--idempotency-key", "--public-key", "key_id"}


def test_only_the_api_is_imported() -> None:
    imported: dict[str, str] = {}
    for file in (ROOT / "scripts" / "tenantctl").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= dict.fromkeys(names, file.name)

    foreign = {name for name in imported if name.partition(".")[0] not in ALLOWED | sys.stdlib_module_names}
    others = {name for name in imported if name.startswith("scripts") and not name.startswith("scripts.tenantctl")}
    assert foreign | others == set()


def test_process_loads_no_driver() -> None:
    program = "import sys, scripts.tenantctl.app; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    modules = loaded.split()
    assert [name for name in FORBIDDEN if any(each == name or each.startswith(f"{name}.") for each in modules)] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_offers_commands(tenantctl: Tenantctl, shell: str) -> None:
    line = "tenantctl orgs mo"

    done = tenantctl.run(
        COMP_WORDS=line,
        COMP_CWORD="2",
        _TYPER_COMPLETE_ARGS=line,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TENANTCTL_COMPLETE=f"complete_{shell}",
    )

    assert "move-tier" in done.out


@for_each(
    ("schema", "choices"),
    [
        ("Tier", orgs.Tier),
        ("OrganizationStatus", orgs.Status),
        ("AuditOutcome", audit.Outcome),
        ("KeyKind", keys.KeyType),
    ],
)
def test_choices_are_those_of_the_api(schema: str, choices: object) -> None:
    schemas = json.loads((ROOT / "docs" / "openapi.json").read_text())["components"]["schemas"]

    assert set(get_args(choices)) == set(schemas[schema]["enum"])


def test_unknown_command_is_a_usage_error(tenantctl: Tenantctl) -> None:
    done = tenantctl.run("orgs", "frobnicate")

    assert (done.code, done.out) == (2, "")
    assert "frobnicate" in done.err


@pytest.mark.parametrize(
    ("option", "shown"),
    [("--timeout=5", "--timeout TIMEOUT"), ("--key-stdin", "--key-stdin"), ("--profile", "--profile PROFILE")],
)
def test_misplaced_option_is_told_its_place(tenantctl: Tenantctl, option: str, shown: str) -> None:
    done = tenantctl.run("orgs", "list", option)

    assert (done.code, f"stands before the command: tenantctl {shown} orgs list" in done.err) == (2, True)


@for_each("value", ["20", "yes", "no", "true", "false", "unlimited", "tier"])
def test_override_takes_the_values_that_tables_show(value: str) -> None:
    name, _ = orgs.parse_override(f"white_label={value}")

    assert name == "white_label"


@for_each("text", ["white_label=Yes", "sso=null", "users=", "users=1e3"])
def test_wrong_value_of_an_override_is_named(text: str) -> None:
    with pytest.raises(CommandError, match="tier, which removes the override"):
        orgs.parse_override(text)


@for_each("name", sorted(COMMANDS))
def test_each_command_is_documented_with_its_json(name: str) -> None:
    output = OUTPUTS[name]
    path = f"/v1{output.path}".replace("/v1/organizations/{organization_id}", "…")
    source = f"`{output.method} {path}`{', rows' if output.is_lines else ''}" if output.path else "below"

    assert re.search(rf"^\| `{name}` \| .* \| {re.escape(source)} \|$", DOCUMENT, re.MULTILINE)


def test_exit_codes_are_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCUMENT, re.MULTILINE)}

    assert documented == {int(code) for code in ExitCode}
