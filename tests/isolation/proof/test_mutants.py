"""A mutant that changes nothing would be caught by nothing, and prove nothing."""

import ast
import subprocess
import sys

import pytest

from scripts.prove.mutant import Mutant
from scripts.prove.mutants import MUTANTS
from tests.given import ROOT

LEAST_MUTANTS = 15


def test_there_are_mutants_and_each_has_a_name_of_its_own() -> None:
    assert len(MUTANTS) >= LEAST_MUTANTS
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_words_that_choose_no_mutant_prove_nothing() -> None:
    command = [sys.executable, "-m", "scripts.prove", "no such mutant"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_replaces_occurs_exactly_once(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    broken = text.replace(mutant.old, mutant.new)
    assert broken != text
    if mutant.file.endswith(".py"):
        ast.parse(broken)
