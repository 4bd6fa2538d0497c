"""The credentials of a stack: made once, and completed where an older release made fewer."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from scripts.stack.credentials import Credentials


@pytest.mark.parametrize("missing", ["authorizer", "valkey", "signing_key"])
def test_missing_credential_of_an_older_stack_is_made(tmp_path: Path, missing: str) -> None:
    before = asdict(Credentials.load(tmp_path))
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({name: value for name, value in before.items() if name != missing}))

    upgraded = asdict(Credentials.load(tmp_path))

    assert upgraded[missing]
    assert {**upgraded, missing: before[missing]} == before
    assert asdict(Credentials.load(tmp_path)) == upgraded
    assert file.stat().st_mode & 0o777 == 0o600


def test_loading_twice_writes_nothing(tmp_path: Path) -> None:
    Credentials.load(tmp_path)
    written_at = (tmp_path / "credentials.json").stat().st_mtime_ns

    Credentials.load(tmp_path)

    assert (tmp_path / "credentials.json").stat().st_mtime_ns == written_at
