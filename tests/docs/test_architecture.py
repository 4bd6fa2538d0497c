"""What the documents say of the code: paths, tables, functions and secrets are those of the repository."""

import json
import re
from pathlib import Path

import pytest

from tenancy.gateway.metrics import NAMESPACE
from tests.given import ROOT
from tests.members import for_each
from tests.template.app_source import texts
from tests.template.template import ALARMS, FOLDERS, properties_of, secrets_with

CORE = ROOT / "layers/tenancy/tenancy"
MIGRATIONS = ROOT / "layers/migrations"
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
DOCUMENTS = sorted(
    [
        *(ROOT / "docs/decisions").glob("*.md"),
        *(
            ROOT / name
            for name in (
                "CONTRIBUTING.md",
                "docs/architecture.md",
                "docs/dependencies.md",
                "docs/glossary.md",
                "docs/isolation.md",
                "docs/operations.md",
                "docs/performance.md",
                "docs/scaling.md",
            )
        ),
    ]
)
SUFFIXES = "py|md|sql|json|yaml|toml|lua|lock|txt"
PATH_IN_BACKTICKS = re.compile(rf"`([\w.-]+(?:/[\w.-]+)*/?|[\w./-]+\.(?:{SUFFIXES}))`")
PATH_IN_TEXT = re.compile(r"(?<![\w/`.-])((?:docs|events|functions|layers|scripts|tests)/[\w./-]*\w)")


def is_path(text: str) -> bool:
    """Whether a text in backticks is meant as a path of the repository: it has a folder of it or a known suffix."""
    first = text.split("/", maxsplit=1)[0]
    is_below = "/" in text and ((ROOT / first).is_dir() or (CORE / first).is_dir())
    return is_below or re.search(rf"\.({SUFFIXES})$", text) is not None


def exists(path: str) -> bool:
    """Whether *path* exists from the root or, without a top-level folder, in the core."""
    return (ROOT / path).exists() or (CORE / path).exists()


def rows_of(heading: str) -> dict[str, list[str]]:
    """Return the cells of each table row below *heading*, by the name in the first cell's backticks."""
    section = re.split(r"^#+ ", ARCHITECTURE.split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in lines}


def grants_to(role: str) -> dict[str, set[str]]:
    """Return the rights that the migrations grant to *role* in PostgreSQL, by table."""
    scripts = "".join(path.read_text() for path in sorted((MIGRATIONS / "postgres").glob("*.sql")))
    granted: dict[str, set[str]] = {}
    for rights, tables, roles in re.findall(r"^GRANT ([^;]+?)\s+ON ([\w, \n]+?)\s+TO ([^;]+);", scripts, re.MULTILINE):
        for table in re.findall(r"\w+", tables) if role in roles else ():
            granted.setdefault(table, set()).update(re.findall(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", rights))
    return granted


@for_each("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text()

    paths = {path for path in PATH_IN_BACKTICKS.findall(text) if is_path(path)} | set(PATH_IN_TEXT.findall(text))

    assert sorted(path for path in paths if not exists(path)) == []


def test_each_table_of_postgresql_is_described() -> None:
    scripts = "".join(path.read_text() for path in (MIGRATIONS / "postgres").glob("*.sql"))

    made = set(re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", scripts, re.MULTILINE))

    assert set(rows_of("PostgreSQL")) == made


@pytest.mark.parametrize(("role", "column"), [("tenancy_functions", 1), ("tenancy_platform", 2)])
def test_rights_of_a_role_are_those_of_the_migrations(role: str, column: int) -> None:
    granted = grants_to(role)

    for table, cells in rows_of("PostgreSQL").items():
        cell = cells[column]
        is_granted = not cell.startswith("nothing")
        described = {
            "SELECT": is_granted and "reads" in cell,
            "INSERT": is_granted and "inserts" in cell,
            "UPDATE": is_granted and "updates" in cell,
            "DELETE": is_granted and "deletes" in cell,
        }
        assert {right: right in granted.get(table, set()) for right in described} == described, table


def test_each_table_of_clickhouse_is_described() -> None:
    scripts = "".join(path.read_text() for path in (MIGRATIONS / "clickhouse").glob("*.sql"))

    made = set(re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", scripts, re.MULTILINE))

    assert set(rows_of("ClickHouse")) == made


@for_each("function", FOLDERS)
def test_secrets_of_a_function_are_described(function: str) -> None:
    rows = rows_of("Functions")
    _, secrets, _ = rows[function]
    for other in re.findall(r"those of `(\w+)`", secrets):
        secrets = secrets.replace(f"those of `{other}`", rows[other][1])

    allowed = secrets_with(function, "secretsmanager:GetSecretValue")

    assert set(re.findall(r"`([a-z-]+)`", secrets)) == allowed


def test_each_function_is_described_once() -> None:
    assert sorted(rows_of("Functions")) == FOLDERS


def test_metrics_of_operations_are_those_of_the_code() -> None:
    operations = (ROOT / "docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]
    alarms = ALARMS.values()
    filtered = set(properties_of("AWS::Logs::MetricFilter"))  # each has the name of its metric

    described = set(re.findall(r"^\| `(\w+)` \|", operations, re.MULTILINE))

    assert described <= texts() | filtered
    assert {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == NAMESPACE} <= described


def test_each_state_of_a_deletion_is_drawn() -> None:
    states = json.loads((ROOT / "functions/delete/delete_organization.asl.json").read_text())["States"]

    assert [name for name in states if name != "Overtaken" and name not in ARCHITECTURE] == []


def test_each_heading_that_a_document_cites_exists() -> None:
    cited = {
        (document.name, path, " ".join(heading.split()))
        for document in DOCUMENTS
        for path, heading in re.findall(r"(docs/\w+\.md), \"([^\"]+)\"", document.read_text())
    }

    headings = {path: re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE) for _, path, _ in cited}
    bold = {path: re.findall(r"\*\*`?(\w+)`?\*\*", (ROOT / path).read_text()) for _, path, _ in cited}
    assert cited
    assert [each for each in sorted(cited) if each[2] not in [*headings[each[1]], *bold[each[1]]]] == []


def test_each_test_that_proves_a_safeguard_exists() -> None:
    text = (ROOT / "docs/isolation.md").read_text()
    files = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]

    named = set(re.findall(r"`(test_\w+)`", text))
    existing = {name for file in files for name in re.findall(r"^def (test_\w+)", file, re.MULTILINE)}

    assert text.count("  Proved by `test_") == len(re.findall(r"^- \*\*", text, re.MULTILINE))
    assert named <= existing
