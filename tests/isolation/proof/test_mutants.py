"""Every mutant can change the code, and names an existing test."""

import ast
import re
import subprocess
import sys

from scripts.prove.mutant import Mutant
from scripts.prove.mutants import MUTANTS
from tests.given import ROOT
from tests.members import for_each

FEWEST_MUTANTS = 40
MIGRATIONS = ROOT / "layers" / "migrations" / "postgres"
CREATED_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(")


def name_of(mutant: Mutant) -> str:
    return mutant.name


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= FEWEST_MUTANTS


def test_names_of_mutants_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@for_each("mutant", MUTANTS, ids=name_of)
def test_replaced_text_occurs_exactly_once(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1


@for_each("mutant", MUTANTS, ids=name_of)
def test_mutant_changes_the_code(mutant: Mutant) -> None:
    assert mutant.new != mutant.old


@for_each("mutant", [each for each in MUTANTS if each.file.endswith(".py")], ids=name_of)
def test_changed_module_can_be_parsed(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()

    ast.parse(text.replace(mutant.old, mutant.new))


def changed_function(mutant: Mutant) -> str | None:
    """Return the function in PostgreSQL that *mutant* changes, or None if it changes something else."""
    before, _, after = (ROOT / mutant.file).read_text().partition(mutant.old)
    statement = before.rpartition(";")[2] + (mutant.old + after).partition(";")[0]
    found = CREATED_FUNCTION.findall(statement)
    return found[0] if found else None


@for_each("mutant", [each for each in MUTANTS if (ROOT / each.file).parent == MIGRATIONS], ids=name_of)
def test_no_later_migration_replaces_what_a_mutant_changes(mutant: Mutant) -> None:
    name = changed_function(mutant)
    later = [file.read_text() for file in MIGRATIONS.glob("*.sql") if file.name > (ROOT / mutant.file).name]

    replaced = [text for text in later if re.search(rf"(?:DROP|REPLACE) FUNCTION (?:[^;]*, )?{name}\(", text)]

    assert not replaced


@for_each("safeguard", sorted({mutant.safeguard for mutant in MUTANTS}))
def test_safeguard_is_documented(safeguard: str) -> None:
    lines = (ROOT / "docs" / "isolation.md").read_text().splitlines()

    assert safeguard in {line.split("|")[1].strip() for line in lines if line.startswith("|")}


@for_each("node_id", sorted({mutant.caught_by for mutant in MUTANTS}))
def test_expected_test_exists(node_id: str) -> None:
    file, _, name = node_id.partition("::")

    module = ast.parse((ROOT / file).read_text())

    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


def test_words_that_choose_no_mutant_prove_nothing() -> None:
    command = [sys.executable, "-m", "scripts.prove", "no such mutant"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
