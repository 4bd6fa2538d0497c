"""Records of decisions: complete, numbered without a gap, listed in the index, and found by each citation."""

import re
import subprocess

from tests.given import ROOT
from tests.members import for_each

FOLDER = ROOT / "docs/decisions"
RECORDS = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")
SECTIONS = ["Context", "Decision", "Consequences"]
LONGEST_RECORD = 60  # lines: a record is one page
UNCHECKED = ("layers/migrations/", "LICENSE", "uv.lock", "tests/docs/test_decisions.py")
# Documents that are not in the repository. A comment gives its reason itself, or cites a record.
FOREIGN = re.compile(r"\bthe seed\b|\bthe seed's\b|\bthe design\b|field-notes|architecture, decision", re.IGNORECASE)


def tracked_texts() -> dict[str, str]:
    """Return the text of each tracked file by its path."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in paths}


TEXTS = tracked_texts()


@for_each("name", RECORDS)
def test_record_has_its_sections(name: str) -> None:
    text = (FOLDER / name).read_text()

    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert all(section.strip() for section in re.split(r"^## .*$", text, flags=re.MULTILINE))


@for_each("name", RECORDS)
def test_record_is_one_page_under_its_number(name: str) -> None:
    lines = (FOLDER / name).read_text().splitlines()

    assert lines[0].startswith(f"# {name[:4]} ")
    assert len(lines) <= LONGEST_RECORD


def test_numbers_of_records_are_unique_and_without_gaps() -> None:
    numbers = [name[:4] for name in RECORDS]

    assert numbers == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


def test_index_lists_each_record_by_its_title() -> None:
    index = (FOLDER / "README.md").read_text()

    rows = re.findall(r"^\| \[(\d{4})\]\((.+?)\) \| (.*) \|$", index, re.MULTILINE)

    titles = [(FOLDER / name).read_text().splitlines()[0][2:] for name in RECORDS]
    assert [(name, f"{number} {title}") for number, name, title in rows] == list(zip(RECORDS, titles, strict=True))


def test_each_citation_of_a_record_resolves() -> None:
    cited = {
        (path, citation)
        for path, text in TEXTS.items()
        for citation in re.findall(r"docs/decisions/(\d{4}[-\w]*(?:\.md)?)", text)
    }

    assert [(path, citation) for path, citation in sorted(cited) if citation not in RECORDS] == []


def test_each_number_in_a_record_is_that_of_a_record() -> None:
    numbers = {name[:4] for name in RECORDS}

    cited = {
        (path, number)
        for path, text in TEXTS.items()
        if path.startswith("docs/")
        for listed in re.findall(r"\((\d{4}(?:, \d{4})*)\)", text)
        for number in listed.split(", ")
    }

    assert cited
    assert [(path, number) for path, number in sorted(cited) if number not in numbers] == []


def test_each_decision_that_a_migration_cites_has_its_record() -> None:
    migrations = [text for path, text in TEXTS.items() if path.startswith("layers/migrations/")]

    cited = {f"{int(number):04}" for text in migrations for number in re.findall(r"decision (\d+)", text)}

    assert cited == {"0006", "0007", "0008", "0009", "0010"}
    assert cited <= {name[:4] for name in RECORDS}


def test_no_text_cites_a_document_that_is_not_here() -> None:
    checked = {path: text for path, text in TEXTS.items() if not path.startswith(UNCHECKED)}

    assert [(path, found) for path, text in checked.items() for found in FOREIGN.findall(text)] == []
