"""docs/console.md describes each page of the console, and has its pictures in light and dark."""

import re

from scripts.console_pictures import FOLDER, LOOKS, PAGES
from tests.given import ROOT
from tests.members import for_each

DOCUMENT = (ROOT / "docs" / "console.md").read_text()
ENTRIES = (ROOT / "functions" / "console" / "web" / "pages.js").read_text()
TITLES = re.findall(r'\{ name: "[\w-]+", title: "([\w-]+)", letter: "(\w)"', ENTRIES)
LARGEST_BYTES = 60_000
WEBP = re.compile(rb"RIFF....WEBP", re.DOTALL)


@for_each("entry", TITLES)
def test_each_page_is_described(entry: tuple[str, str]) -> None:
    title, letter = entry

    assert re.search(rf"^## {title}\n\w", DOCUMENT, re.MULTILINE)
    assert f"| [{title}](#{title.lower()}) | `g` `{letter}` |" in DOCUMENT


def test_pictures_are_small_and_shown_in_both_looks() -> None:
    named = {f"{page}-{look}.webp" for page in PAGES for look in LOOKS}

    assert {path.name for path in FOLDER.iterdir()} == named
    assert set(re.findall(r'(?:src|srcset)="console/([\w.-]+)"', DOCUMENT)) == named
    for name in named:
        content = (FOLDER / name).read_bytes()
        assert WEBP.match(content), name
        assert len(content) < LARGEST_BYTES, name
