"""Defects, one or more in each wall between organizations: the proof must notice every one of them."""

from typing import Final

from scripts.prove import request_mutants, schema_mutants, store_mutants

MUTANTS: Final = (*schema_mutants.MUTANTS, *store_mutants.MUTANTS, *request_mutants.MUTANTS)
