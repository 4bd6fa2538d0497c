"""Make the project's environment, .venv, on a machine that has Python 3.11 or later and a network, and nothing else.

Brings uv from PyPI unless it is there, finds a Python 3.13 (UV_PYTHON, PATH, pyenv) or has uv download one, and
installs exactly what uv.lock says. `make` calls it; nobody has to.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".local" / "tools"
WANTED = (ROOT / ".python-version").read_text().strip()


def main() -> int:
    """Set up, or say what is missing."""
    uv = find_uv() or install_uv()
    if uv is None:
        return fail("uv is not here and pip is missing too. On Debian: apt-get install python3-pip")
    python = find_python() or download_python(uv)
    if python is None:
        return fail(f"Python {WANTED} is not here and cannot be downloaded. Install it, or set UV_PYTHON to its path.")
    command = [*uv, "sync", "--quiet", "--frozen", "--python", python]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def find_uv() -> list[str] | None:
    """Return the command of an installed uv."""
    if (TOOLS / "bin" / "uv").exists():
        return [str(TOOLS / "bin" / "uv")]
    return ["uv"] if shutil.which("uv") else None


def install_uv() -> list[str] | None:
    """Fetch uv from PyPI into .local/tools, with pip, or with the pip of a new virtual environment."""
    say("fetching uv")
    target = ["install", "--quiet", "--root-user-action=ignore", "--target", str(TOOLS), "uv"]
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip"]
    elif importlib.util.find_spec("ensurepip"):
        subprocess.run([sys.executable, "-m", "venv", str(TOOLS / "pip")], check=True)
        pip = [str(TOOLS / "pip" / "bin" / "pip")]
    else:
        return None
    subprocess.run([*pip, *target], check=True)
    return find_uv()


def find_python() -> str | None:
    """Return an interpreter of the wanted version: named by UV_PYTHON, on the PATH, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob(f"versions/{WANTED}.*/bin/python{WANTED}"), reverse=True)
    candidates = [os.environ.get("UV_PYTHON"), shutil.which(f"python{WANTED}"), sys.executable, *map(str, found)]
    return next((python for python in candidates if python and is_wanted(python)), None)


def is_wanted(python: str) -> bool:
    """Whether *python* runs and is of the wanted version; a shim may be neither."""
    question = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == WANTED


def download_python(uv: list[str]) -> str | None:
    """Have uv download the wanted version."""
    say(f"downloading Python {WANTED}")
    done = subprocess.run([*uv, "python", "install", "--quiet", WANTED], check=False)
    return WANTED if done.returncode == 0 else None


def say(what: str) -> None:
    """Tell what takes time."""
    print(f"setup: {what}", flush=True)


def fail(why: str) -> int:
    """Tell what is missing."""
    print(f"setup: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
