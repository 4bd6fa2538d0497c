"""Make the project's environment, .venv, with Python 3.11 or later and a network.

The set-up fetches uv from PyPI unless it is installed, finds a Python 3.13 (UV_PYTHON, PATH, pyenv) or lets uv download
one, and installs exactly the packages of uv.lock. ``make`` runs it when it is needed: ``python3 -m scripts.setup``.

The environment is relocatable: its programs work on after the folder was moved.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.progress import progress

ROOT = Path(__file__).resolve().parents[1]
RELOCATABLE = "relocatable = true"
# The text of .venv/bin/tenantctl. It works in every folder, through links, and after the project was moved.
TENANTCTL = """#!/bin/sh
programs=$(dirname -- "$(readlink -f -- "$0")")
PYTHONPATH=$(dirname -- "$(dirname -- "$programs")") exec "$programs/python" -P -m scripts.tenantctl "$@"
"""
DEBIAN_HINT = "On Debian: apt-get install python3-pip python3-venv"


class SetupError(Exception):
    """The environment cannot be made. The message names the missing or failed program."""


def main() -> int:
    """Set up the environment of this checkout, or say why it cannot be made."""
    try:
        set_up(ROOT)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(root: Path) -> None:
    """Make or update the environment of the project at *root*.

    Raises:
        SetupError: a program is missing and cannot be fetched, or a program failed.
    """
    wanted = (root / ".python-version").read_text(encoding="utf-8").strip()
    tools = root / ".local" / "tools"
    environment = variables(root)
    uv = find_uv(root, tools) or install_uv(tools)
    python = find_python(root, wanted) or download_python(uv, wanted, environment)
    if not is_usable(root / ".venv", wanted):
        make_environment(root, uv, python, environment)
    command = [*uv, "sync", "--quiet", "--frozen", "--project", str(root)]
    run("installing the packages of uv.lock", command, environment)
    write_tenantctl(root / ".venv" / "bin" / "tenantctl")


def variables(root: Path) -> dict[str, str]:
    """Return the caller's variables for uv, with a cache that can be written.

    Variables that would move the environment out of .venv are dropped.
    """
    foreign = ("UV_PROJECT_ENVIRONMENT", "UV_PROJECT", "UV_PYTHON", "UV_WORKING_DIR", "VIRTUAL_ENV", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    if "UV_CACHE_DIR" not in kept and not is_writable(default_cache()):
        kept["UV_CACHE_DIR"] = str(root / ".local" / "uv-cache")
    return kept


def default_cache() -> Path:
    """Return the folder in which uv keeps its cache by default."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or "/", ".cache"), "uv")


def is_writable(folder: Path) -> bool:
    """Tell whether files can be made in *folder*, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def find_uv(root: Path, tools: Path) -> list[str] | None:
    """Return the command of an installed uv: the one in *tools*, or one on the PATH."""
    candidates = (str(tools / "bin" / "uv"), shutil.which("uv", path=outer_path(root)))
    return next(([uv] for uv in candidates if uv and answers([uv, "--version"])), None)


def outer_path(root: Path) -> str:
    """Return the PATH without the environment, which may be made anew."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder != str(root / ".venv" / "bin"))


def install_uv(tools: Path) -> list[str]:
    """Fetch uv from PyPI into *tools*, with pip or with the pip of a new virtual environment.

    Raises:
        SetupError: there is no pip, or pip failed.
    """
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip"]
    elif importlib.util.find_spec("ensurepip"):
        run("making an environment for pip", [sys.executable, "-m", "venv", "--clear", str(tools / "pip")])
        pip = [str(tools / "pip" / "bin" / "python"), "-m", "pip"]
    else:
        raise SetupError(f"uv is not installed, and there is no pip to fetch it. {DEBIAN_HINT}")
    target = ["--quiet", "--root-user-action=ignore", "--disable-pip-version-check", "--target", str(tools)]
    run("fetching uv from PyPI", [*pip, "install", *target, "--upgrade", "uv"])
    return [str(tools / "bin" / "uv")]


def find_python(root: Path, wanted: str) -> str | None:
    """Return an interpreter of version *wanted* from UV_PYTHON, the PATH or pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path(os.environ.get("HOME") or "/", ".pyenv"))
    found = sorted(pyenv.glob(f"versions/{wanted}.*/bin/python{wanted}"), reverse=True)
    on_path = shutil.which(f"python{wanted}", path=outer_path(root))
    running = os.path.realpath(sys.executable)  # the environment's own is a link to the one that it was made with
    candidates = [os.environ.get("UV_PYTHON"), on_path, running, *map(str, found)]
    return next((python for python in candidates if python and is_version(python, wanted)), None)


def is_version(python: str, wanted: str) -> bool:
    """Tell whether *python* runs and has version *wanted*, which a pyenv shim may not."""
    return answers([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) == wanted


def answers(command: Sequence[str]) -> str | None:
    """Return the output of *command*, or None if it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def download_python(uv: Sequence[str], wanted: str, environment: Mapping[str, str]) -> str:
    """Let uv download version *wanted*.

    Raises:
        SetupError: the download failed.
    """
    try:
        run(f"downloading Python {wanted}", [*uv, "python", "install", "--quiet", wanted], environment)
    except SetupError as error:
        hint = f"There is no Python {wanted} here either: install one, or set UV_PYTHON to its path."
        raise SetupError(f"{error} {hint}") from error
    return wanted


def is_usable(environment: Path, wanted: str) -> bool:
    """Tell whether *environment* can be moved, and its interpreter of version *wanted* runs."""
    configuration = environment / "pyvenv.cfg"
    relocatable = configuration.exists() and RELOCATABLE in configuration.read_text(encoding="utf-8").splitlines()
    return relocatable and is_version(str(environment / "bin" / "python"), wanted)


def make_environment(root: Path, uv: Sequence[str], python: str, environment: Mapping[str, str]) -> None:
    """Make an empty environment at *root*, in place of one that is broken, or cannot be moved."""
    options = ["--quiet", "--clear", "--relocatable", "--no-project", "--python", python]
    run("making .venv", [*uv, "venv", *options, str(root / ".venv")], environment)


def write_tenantctl(program: Path) -> None:
    """Write the operator's command line at *program*."""
    program.write_text(TENANTCTL, encoding="utf-8")
    program.chmod(0o755)


def run(task: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run *command* and show its output.

    Raises:
        SetupError: it failed.
    """
    say(task)
    with progress(say, task):
        status = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    if status:
        raise SetupError(f"{task} failed, see above.")


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"setup: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
