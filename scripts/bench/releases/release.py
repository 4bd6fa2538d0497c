"""A release of the platform: a folder with its files, of this code or of a commit."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.bench import ROOT
from scripts.stack.settings import StackSettings

PREVIOUS: Final = ROOT / "scripts" / "previous-release"
PARTS: Final = ("functions", "layers", "events", "template.yaml", "pyproject.toml", "uv.lock")
PACKAGES: Final = "packages"
EXPORT: Final = ("export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project", "--no-hashes")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedRelease:
    """A release whose files are in *root*.

    *paths* have its packages, the first one its own.
    """

    name: str
    root: Path
    paths: tuple[Path, ...]

    @property
    def migrations(self) -> Path:
        """The folder with its migrations."""
        return self.root / "layers" / "migrations"

    @property
    def template(self) -> Path:
        """Its template."""
        return self.root / "template.yaml"

    def app(self, function: str) -> Path:
        """Return the app.py of a function."""
        return self.root / "functions" / function / "app.py"

    def sample(self, name: str) -> Path:
        """Return the sample request events/*name*.json."""
        return self.root / "events" / f"{name}.json"


THIS_CODE: Final = UnpackedRelease(name="this code", root=ROOT, paths=(ROOT / "layers" / "tenancy",))


def earlier_release() -> UnpackedRelease:
    """Return the release of BENCH_COMMIT, by default that of scripts/previous-release.

    It has the packages of its lock. Its folder stays beside the stack for the next run. This repository must have its
    commit.
    """
    name, commit = _chosen()
    folder = StackSettings.from_env(os.environ, ROOT).directory / "releases" / commit
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _unpack(commit, unfinished)
        _install_packages(unfinished)
        unfinished.rename(folder)
    return UnpackedRelease(name=name, root=folder, paths=(folder / "layers" / "tenancy", folder / PACKAGES))


def _chosen() -> tuple[str, str]:
    """Return the name of the release and its commit."""
    if commit := os.environ.get("BENCH_COMMIT"):
        return commit, commit
    name, commit = PREVIOUS.read_text(encoding="utf-8").split()
    return name, commit


def _unpack(commit: str, folder: Path) -> None:
    command = ["git", "archive", "--format=tar", commit, *PARTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"This repository does not have the commit {commit}. Fetch it: git fetch --unshallow --tags")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _install_packages(folder: Path) -> None:
    """Install the packages of the lock in *folder* into a folder of it."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, *EXPORT, "--output-file", "requirements.txt"], cwd=folder, check=True)
    target = ("--quiet", "--target", PACKAGES, "--requirements", "requirements.txt")
    subprocess.run([*uv, "pip", "install", *target], cwd=folder, check=True)
