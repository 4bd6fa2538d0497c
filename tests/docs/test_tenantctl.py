"""The commands of docs/tenantctl.md run in order on the deployed stack.

`python -m scripts.documents docs/tenantctl.md` writes the real answers.
"""

from scripts.documents import list_differences
from tests.given import ROOT
from tests.stack_turns import stack_alone


def test_tenantctl_prints_the_shown_output() -> None:
    with stack_alone():  # it lists the newest organization
        differences = list_differences((ROOT / "docs" / "tenantctl.md").read_text())

    assert not differences, "\n\n".join(differences)
