"""The bridge replaces functions inside MiniStack, so that its version is fixed."""

import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

import scripts.stack.bridge.__main__ as bridge

ROOT = Path(__file__).resolve().parents[2]


def pinned() -> Requirement:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = map(Requirement, document["dependency-groups"]["dev"])
    [found] = [requirement for requirement in requirements if requirement.name == "ministack"]
    return found


def test_pin_is_exact_and_installed() -> None:
    [specifier] = pinned().specifier

    assert (specifier.operator, specifier.version) == ("==", version("ministack"))


def test_bridge_is_written_for_the_pinned_version() -> None:
    assert f"Missing in {version('ministack')}," in (bridge.__doc__ or "")
