"""The smoke test sends a key that the authorizer looks up, and no text that is refused before."""

import re
import subprocess
import sys
import textwrap

from tenancy.rules.keys.api_keys import KeyType, find_key
from tests.given import ROOT

TEXT = (ROOT / "docs/smoke-test.md").read_text()
COMMANDS = [textwrap.dedent(command) for command in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)]
# A route that does not exist takes any text.
NO_ROUTE = "/no-such-route"


def test_key_of_the_smoke_test_is_well_formed() -> None:
    [command] = [command for command in COMMANDS if command.startswith("key=")]
    made = command.split("\ncurl")[0].replace(".venv/bin/python", sys.executable)

    printed = subprocess.run(f'{made}\necho "$key"', shell=True, cwd=ROOT, check=True, capture_output=True, text=True)

    key = find_key(printed.stdout.strip())
    assert key is not None
    assert key.type is KeyType.SECRET


def test_each_credential_for_a_route_is_that_key() -> None:
    lines = [line for line in TEXT.splitlines() if "Authorization: Bearer" in line and NO_ROUTE not in line]

    assert lines
    assert [line for line in lines if "Bearer $key" not in line] == []
