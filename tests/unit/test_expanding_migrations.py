"""Migrations only expand: functions of the release before work on the schemas of this one.

That code runs until the aliases have moved to the new versions, and after a roll-back. This test reads the statements
of the migrations since that release. `make test-upgrade` runs the release before on their schemas.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.release_names import FILE
from tests.given import ROOT
from tests.members import for_each

BEFORE = {each.split()[0] for each in json.loads(FILE.read_text())["migrations"]}
NEW = [
    path
    for path in sorted((ROOT / "layers/migrations").rglob("*.sql"))
    if path.relative_to(ROOT).as_posix() not in BEFORE
]
# Each statement that may take something from code that runs already.
CONTRACTING = re.compile(
    r"\bDROP (?:TABLE|VIEW|COLUMN|FUNCTION|TYPE|SCHEMA|CONSTRAINT|INDEX|POLICY|TRIGGER|DEFAULT)\b"
    r"|\bRENAME\b|\bTRUNCATE\b|\bSET NOT NULL\b|\bALTER COLUMN \w+ (?:SET DATA )?TYPE\b"
    r"|\bADD CONSTRAINT\b|\bCREATE UNIQUE INDEX\b"
    r"|\b(?:MODIFY|CLEAR) COLUMN\b|\bMODIFY QUERY\b"
    r"|\bREVOKE\b(?=.*\bFROM .*tenancy_(?:functions|platform|authorizer)\b)",
    re.IGNORECASE,
)
ADDED_COLUMN = re.compile(r"\bADD COLUMN (?:IF NOT EXISTS )?\w+ (?:[^,(]|\([^)]*\))*", re.IGNORECASE)
TARGET = re.compile(
    r"\bALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+)|\bDROP (?:TABLE|FUNCTION|VIEW) (?:IF EXISTS )?(\w+)"
    r"|\bINDEX .*?\bON (\w+)|\bTRUNCATE (?:TABLE )?(\w+)",
    re.IGNORECASE,
)
CREATED = re.compile(r"\bCREATE (?:OR REPLACE )?(?:TABLE|FUNCTION|VIEW) (?:IF NOT EXISTS )?(\w+)", re.IGNORECASE)
SAME_KEYS = "A key takes the place of another one. Indexes for ON CONFLICT of the release before stay."
SAME_LOOK_UP = "The same transaction makes the function again, with the columns of before first."
WIDER = "The new constraint accepts all that the old one did."
# File and statement, with the reason why the release before works on.
ALLOWED = {
    ("0016_authorizer_role.sql", "DROP FUNCTION"): "Release 0.1.0 calls neither: 0012 replaced them.",
    ("0019_composite_keys.sql", "ADD CONSTRAINT"): SAME_KEYS,
    ("0019_composite_keys.sql", "CREATE UNIQUE INDEX"): SAME_KEYS,
    ("0019_composite_keys.sql", "DROP CONSTRAINT"): SAME_KEYS,
    ("0019_composite_keys.sql", "DROP INDEX"): "Indexes of the new keys serve the same queries.",
    ("0021_app_of_a_key.sql", "DROP FUNCTION"): SAME_LOOK_UP,
    ("0022_ingest_requests.sql", "ADD CONSTRAINT"): WIDER,
    ("0022_ingest_requests.sql", "DROP CONSTRAINT"): WIDER,
    ("0023_managed_keys.sql", "ADD CONSTRAINT"): WIDER,
    ("0023_managed_keys.sql", "DROP CONSTRAINT"): WIDER,
    ("0023_managed_keys.sql", "DROP FUNCTION"): SAME_LOOK_UP,
}


def statements(text: str) -> Iterator[str]:
    """Yield each statement of a migration on one line, without comments, texts and bodies of functions."""
    without_bodies = re.sub(r"\$(\w*)\$.*?\$\1\$", "''", re.sub(r"--[^\n]*", "", text), flags=re.DOTALL)
    for statement in re.sub(r"'[^']*'", "''", without_bodies).split(";"):
        yield " ".join(statement.split())


def contractions(text: str, new_names: set[str]) -> set[str]:
    """Return the kinds of contracting statements in a migration, apart from those on the new objects *new_names*."""
    found = set()
    for statement in statements(text):
        targets = {name for groups in TARGET.findall(statement) for name in groups if name}
        if targets and targets <= new_names:
            continue
        found |= {each.group(0).upper() for each in CONTRACTING.finditer(statement)}
        found |= {"ADD COLUMN NOT NULL" for each in ADDED_COLUMN.findall(statement) if is_required(each)}
    return found


def is_required(column: str) -> bool:
    """Return whether an insert without the added column fails."""
    clause = column.upper()
    return "NOT NULL" in clause and not re.search(r"\b(DEFAULT|GENERATED)\b", clause)


def made_since(paths: list[Path]) -> set[str]:
    """Return the tables and functions that the migrations make and that no migration of before makes."""
    before = {name for each in BEFORE for name in CREATED.findall((ROOT / each).read_text())}
    return {name for path in paths for name in CREATED.findall(path.read_text())} - before


def test_there_are_migrations_since_the_release_before() -> None:
    assert all((ROOT / each).is_file() for each in BEFORE)
    assert NEW


def test_new_migrations_only_expand() -> None:
    """If this fails: expand now, and contract in the release after. Or show here why nothing is taken."""
    made = made_since(NEW)

    found = {(path.name, kind) for path in NEW for kind in contractions(path.read_text(), made)}

    assert found == set(ALLOWED)


@for_each(
    ("statement", "kind"),
    [
        ("ALTER TABLE users DROP COLUMN role;", "DROP COLUMN"),
        ("ALTER TABLE users\n  RENAME role TO duty;", "RENAME"),
        ("ALTER TABLE users ALTER COLUMN role TYPE integer;", "ALTER COLUMN ROLE TYPE"),
        ("ALTER TABLE users ALTER COLUMN role SET DATA TYPE integer;", "ALTER COLUMN ROLE SET DATA TYPE"),
        ("ALTER TABLE users ALTER name SET NOT NULL;", "SET NOT NULL"),
        ("ALTER TABLE users ADD COLUMN a text, ADD COLUMN b numeric(9, 2) NOT NULL;", "ADD COLUMN NOT NULL"),
        ("ALTER TABLE users ADD CONSTRAINT short CHECK (length(name) < 9);", "ADD CONSTRAINT"),
        ("CREATE UNIQUE INDEX names ON users (name);", "CREATE UNIQUE INDEX"),
        ("REVOKE SELECT ON users FROM tenancy_functions;", "REVOKE"),
        ("DROP TABLE users;", "DROP TABLE"),
        ("ALTER TABLE events MODIFY COLUMN platform String;", "MODIFY COLUMN"),
    ],
)
def test_contracting_statement_is_found(statement: str, kind: str) -> None:
    assert contractions(statement, {"apps"}) == {kind}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users ADD COLUMN a text;",
        "ALTER TABLE users ADD COLUMN a text NOT NULL DEFAULT 'b';",
        "ALTER TABLE users ALTER COLUMN role DROP NOT NULL;",
        "CREATE INDEX names ON users (name); -- DROP TABLE users",
        "REVOKE ALL ON FUNCTION find() FROM PUBLIC;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE users; $$;",
        "DROP TABLE apps;",
        "ALTER TABLE apps ADD CONSTRAINT short CHECK (length(name) < 9);",
    ],
)
def test_expanding_statement_passes(statement: str) -> None:
    assert not contractions(statement, {"apps"})
