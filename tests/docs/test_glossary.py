"""The glossary: each topic and store has an entry, and each entry leads to code that exists."""

import re

from tests.given import ROOT
from tests.members import for_each

CORE = ROOT / "layers/tenancy/tenancy"
ROWS = re.findall(r"^\| (.+?) \| (.+) \| `(.+?)` \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
FOLDERS = sorted(
    path.relative_to(CORE).as_posix()
    for layer in ("use_cases", "stores")
    for path in (CORE / layer).iterdir()
    if path.is_dir() and path.name != "__pycache__"
)


def test_words_are_unique_and_sorted() -> None:
    words = [word.lower() for word, _, _ in ROWS]

    assert words == sorted(set(words))


@for_each("folder", FOLDERS)
def test_topic_or_store_has_an_entry(folder: str) -> None:
    assert folder in {path for _, _, path in ROWS}


@for_each(("word", "path"), [(word, path) for word, _, path in ROWS])
def test_entry_leads_to_code(word: str, path: str) -> None:
    assert (ROOT / path).exists() or (CORE / path).exists(), word


def test_each_meaning_is_a_sentence() -> None:
    assert [word for word, meaning, _ in ROWS if not re.fullmatch(r"[A-Z].*[.!]", meaning)] == []
