"""The changelog has the version of the code first, and the release that an upgrade starts from."""

import re
import tomllib

from tests.given import ROOT

RELEASES = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_newest_release_is_the_version_of_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert RELEASES[0] == project["version"]


def test_release_before_is_listed() -> None:
    tag, _ = (ROOT / "scripts" / "previous-release").read_text().split()

    assert tag.removeprefix("v") in RELEASES[1:]
