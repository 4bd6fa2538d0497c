"""The commands of docs/tutorial.md run in order on the deployed stack.

`python -m scripts.documents docs/tutorial.md` writes the real answers.
"""

from scripts.documents import list_differences
from tests.given import ROOT
from tests.stack_turns import sharing_stack


def test_tutorial_prints_the_real_answers() -> None:
    with sharing_stack():
        differences = list_differences((ROOT / "docs" / "tutorial.md").read_text())

    assert not differences, "\n\n".join(differences)
