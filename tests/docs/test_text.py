"""The text of all documents: short lines, and links that lead to a file and a heading."""

import re
from pathlib import Path

from tests.given import ROOT
from tests.members import for_each

LONGEST_LINE = 120
DOCUMENTS = sorted(
    str(file.relative_to(ROOT))
    for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md"))
)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@for_each("document", DOCUMENTS)
def test_lines_are_short(document: str) -> None:
    lines = (ROOT / document).read_text().splitlines()

    assert [number for number, line in enumerate(lines, start=1) if len(line) > LONGEST_LINE] == []


@for_each("document", DOCUMENTS)
def test_links_lead_to_a_file_and_a_heading(document: str) -> None:
    file = ROOT / document

    for path, anchor in LINK.findall(file.read_text()):
        target = (file.parent / path).resolve() if path else file

        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
