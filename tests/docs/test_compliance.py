"""docs/compliance.md maps controls to code, tests and settings that exist."""

import re
from collections.abc import Iterator
from typing import get_type_hints

from tenancy.gateway.documents.compliance_answers import OrganizationReportAnswer, PlatformReportAnswer
from tenancy.rules.entitlements import BOUNDS
from tests.given import ROOT
from tests.members import for_each
from tests.template.template import TEMPLATE

TEXT = (ROOT / "docs/compliance.md").read_text()
ROW = re.compile(r"^\| (?!---)(.+) \|$", re.MULTILINE)
CONTROL = re.compile(
    r"\*\*(?P<name>[^*]+)\*\*.*?- Code: (?P<code>.*?)- Tests: (?P<tests>.*?)- Settings: (?P<settings>.*)", re.DOTALL
)
QUOTED = re.compile(r"`([^`]+)`")
CLAIM = re.compile(r"\b(?:certified|compliant|conforms?|guarantee[sd]?|fully|always)\b", re.IGNORECASE)
POLICY = {"key_rotation_days"}  # of an organization, beside its entitlements


def controls() -> Iterator[dict[str, str]]:
    """Yield the parts of each control: its name, code, tests and settings."""
    for heading in ("GDPR", "SOC 2", "HIPAA"):
        section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n\nNot here:")[0]
        for item in f"\n{section}".split("\n- ")[1:]:
            found = CONTROL.fullmatch(item.strip())
            assert found, item
            yield found.groupdict()


CONTROLS = list(controls())


def name_of(control: dict[str, str]) -> str:
    return control["name"]


def test_three_standards_are_mapped() -> None:
    assert len(CONTROLS) > 25


@for_each("control", CONTROLS, ids=name_of)
def test_control_names_code_that_exists(control: dict[str, str]) -> None:
    paths = QUOTED.findall(control["code"])

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@for_each("control", CONTROLS, ids=name_of)
def test_control_names_tests_that_exist(control: dict[str, str]) -> None:
    names = QUOTED.findall(control["tests"])

    assert names
    assert [name for name in names if not is_test(name)] == []


@for_each("control", CONTROLS, ids=name_of)
def test_control_names_settings_that_exist(control: dict[str, str]) -> None:
    known = {*TEMPLATE["Parameters"], *BOUNDS, *POLICY}

    assert set(QUOTED.findall(control["settings"])) <= known


def test_named_sections_are_those_of_the_reports() -> None:
    table = TEXT.partition("| section | read it for | act if |")[2].partition("\n\n")[0]
    named = {name for row in ROW.findall(table) for name in QUOTED.findall(row.split(" | ")[0])}

    known = set(get_type_hints(OrganizationReportAnswer)) | set(get_type_hints(PlatformReportAnswer))
    assert named <= known


def test_page_claims_no_certificate() -> None:
    assert CLAIM.findall(TEXT) == []


def test_documented_index_is_that_of_the_migration() -> None:
    migration = (ROOT / "layers/migrations/postgres/0035_compliance.sql").read_text()
    [made] = re.findall(r"CREATE INDEX IF NOT EXISTS (.+;)", migration)

    assert f"CREATE INDEX CONCURRENTLY {made}" in (ROOT / "docs/operations.md").read_text()


def is_test(name: str) -> bool:
    """Tell whether *name* is a file of tests, or a test in it."""
    path, _, function = name.partition("::")
    file = ROOT / path
    return path.startswith("tests/") and file.exists() and (not function or f"def {function}(" in file.read_text())
