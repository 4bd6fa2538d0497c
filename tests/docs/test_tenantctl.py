"""The commands of docs/tenantctl.md run in order on the deployed stack.

`python -m scripts.documents docs/tenantctl.md` writes the real answers.
"""

from scripts.documents import list_differences
from tests.given import ROOT
from tests.stack_turns import sharing_stack


def test_tenantctl_prints_the_shown_output() -> None:
    with sharing_stack():
        differences = list_differences((ROOT / "docs" / "tenantctl.md").read_text())

    assert not differences, "\n\n".join(differences)
