"""docs/api.md has every route of the template, each with the parts of a reference."""

import re

from tests.given import ROOT
from tests.members import for_each
from tests.template.template import FOLDERS, routes

PARTS = ("Credential", "Request", "Answer", "Refusals")
STAGE = "/v1"
TEXT = (ROOT / "docs" / "api.md").read_text()
SECTION = re.compile(
    r"^### (?P<method>[A-Z]+) (?P<paths>/[^\n]+)\n(?P<body>.*?)(?=^##|\Z)",
    re.MULTILINE | re.DOTALL,
)
EXAMPLE = re.compile(r"^\*\*Example\*\*.*?^```sh\n(.*?)^```\n\n```(?:json|text)\n.+?^```$", re.MULTILINE | re.DOTALL)
CITING = ("functions/**/*.py", "layers/tenancy/**/*.py", "scripts/**/*.py", "tests/**/*.py", "docs/**/*.md")
CITATION = re.compile(r"docs/api\.md, \"([^\"]+)\"")
SECTIONS = {
    (found["method"], path): found["body"] for found in SECTION.finditer(TEXT) for path in found["paths"].split(", ")
}


def deployed_routes() -> set[tuple[str, str]]:
    return {
        (route["Method"], f"{STAGE}{route['Path']}")
        for function in FOLDERS
        for route in routes(function)
        if route["Method"] != "OPTIONS"
    }


def test_reference_has_exactly_the_deployed_routes() -> None:
    assert set(SECTIONS) == deployed_routes()


@for_each(("method", "path"), sorted(SECTIONS))
def test_route_has_a_purpose_first(method: str, path: str) -> None:
    purpose = SECTIONS[method, path].partition("\n\n")[0]

    assert re.match(r"[A-Z][^\n]+", purpose)


@for_each(("method", "path"), sorted(SECTIONS))
def test_route_has_all_parts(method: str, path: str) -> None:
    found = re.findall(r"^- \*\*(\w+)\*\*: \S", SECTIONS[method, path], re.MULTILINE)

    assert tuple(found) == PARTS


@for_each(("method", "path"), sorted(SECTIONS))
def test_route_has_an_example_with_its_answer(method: str, path: str) -> None:
    example = EXAMPLE.search(SECTIONS[method, path])

    assert example
    assert "curl -s" in example[1]


def test_cited_sections_exist() -> None:
    files = [file for pattern in CITING for file in ROOT.glob(pattern)]

    cited = {title for file in files for title in CITATION.findall(file.read_text())}

    assert cited <= set(re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE))
