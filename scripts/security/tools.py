"""The programs, in an environment with its own lock: their requirements conflict with those of the project."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[1]
HOME: Final = ROOT / ".local" / "security"
ENVIRONMENT: Final = HOME / "venv"
STAMP: Final = HOME / "lock"


def install() -> None:
    """Make the environment, unless it has the versions of the lock."""
    lock = (FOLDER / "uv.lock").read_text(encoding="utf-8")
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == lock:
        return
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT), "UV_PYTHON": sys.executable}
    command = [str(Path(sys.executable).with_name("uv")), "sync", "--quiet", "--frozen", "--project", str(FOLDER)]
    subprocess.run(command, env=environment, check=True)
    STAMP.write_text(lock, encoding="utf-8")


def run(program: str, arguments: Sequence[str], *, is_quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run *program* of the environment in the checkout, and return its end and its output."""
    errors = subprocess.DEVNULL if is_quiet else None
    command = [str(ENVIRONMENT / "bin" / program), *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=errors)
