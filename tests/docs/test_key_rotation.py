"""The documented check of a key set prints the keys, or names the faulty ones."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.given import ROOT
from tests.unit.signed_tokens import NEW_JWK, OLD_JWK


def check(keys: list[object], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of docs/operations.md on a file with *keys*."""
    section = (ROOT / "docs/operations.md").read_text().split("\n## Rotate the key of access tokens\n")[1]
    [command] = re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": keys}))
    text = textwrap.dedent(command).replace(".venv/bin/python", sys.executable).replace("jwks.json", str(file))
    return subprocess.run(text, shell=True, cwd=ROOT, check=False, capture_output=True, text=True)


def test_documented_check_prints_each_kid(tmp_path: Path) -> None:
    ended = check([OLD_JWK, NEW_JWK], tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "2026-10 2026-11\n")


def test_documented_check_names_a_faulty_key(tmp_path: Path) -> None:
    ended = check([OLD_JWK, {**NEW_JWK, "use": "enc"}], tmp_path)

    assert ended.returncode == 1
    assert "key '2026-11' has a use other than" in ended.stderr
