"""The examples of docs/api.md run in order on the deployed stack.

`python -m scripts.documents docs/api.md` writes the real answers.
"""

import pytest

from scripts.documents import list_differences
from tests.given import ROOT


@pytest.mark.usefixtures("frequent_schedule")
def test_examples_print_the_real_answers() -> None:
    differences = list_differences((ROOT / "docs" / "api.md").read_text())

    assert not differences, "\n\n".join(differences)
