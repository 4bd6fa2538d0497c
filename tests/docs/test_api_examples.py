"""The examples of docs/api.md run in order on the deployed stack.

`python -m scripts.documents docs/api.md` writes the real answers.
"""

import re

from scripts.documents import list_differences, parse_steps
from tests.docs.conftest import Turns
from tests.given import ROOT

# Commands that make an organization or a platform key, or list the newest one: no other test may make one meanwhile.
OF_THE_PLATFORM = r"organizations(?!/)|platform-keys"
# Commands that let the stack call DNS servers or providers: no other test may play one meanwhile.
CALLING_OTHERS = r"(?:auth/)?sso\b|domains\b"
ALONE = re.compile(rf"\$API/(?:{OF_THE_PLATFORM}|{CALLING_OTHERS})")


def test_examples_print_the_real_answers(turns: Turns) -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    steps = parse_steps(text)

    def before_step(number: int) -> None:
        commands = steps[number].commands
        turns.take(alone=bool(ALONE.search(commands)), is_waiting="until " in commands)

    differences = list_differences(text, before_step=before_step)

    assert not differences, "\n\n".join(differences)
