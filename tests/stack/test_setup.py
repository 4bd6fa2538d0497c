"""The set-up of the environment, on a small project with one wheel and no network."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import setup

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
WHEEL = "greeter-1-py3-none-any.whl"
DISTRIBUTION = "greeter-1.dist-info"
FILES = {
    "greeter.py": "def main():\n    print('hello')\n",
    f"{DISTRIBUTION}/METADATA": "Metadata-Version: 2.1\nName: greeter\nVersion: 1\n",
    f"{DISTRIBUTION}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{DISTRIBUTION}/entry_points.txt": "[console_scripts]\ngreet = greeter:main\n",
    f"{DISTRIBUTION}/RECORD": "",
}
PROJECT = f"""
[project]
name = "small"
version = "1"
requires-python = ">={VERSION}"
dependencies = ["greeter"]
[tool.uv]
package = false
[tool.uv.sources]
greeter = {{ path = "{WHEEL}" }}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with a lock file, and with uv in the place of a fetched one."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    root = tmp_path / "project"
    (root / ".local" / "tools" / "bin").mkdir(parents=True)
    uv = Path(sys.executable).with_name("uv")
    (root / ".local" / "tools" / "bin" / "uv").symlink_to(uv)
    (root / ".python-version").write_text(f"{VERSION}\n", encoding="utf-8")
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    with zipfile.ZipFile(root / WHEEL, "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    subprocess.run([str(uv), "lock", "--quiet", "--python", sys.executable], cwd=root, check=True)
    return root


def greeting(root: Path) -> str:
    return subprocess.run([str(root / ".venv/bin/greet")], capture_output=True, text=True, check=True).stdout


def test_programs_of_make_keep_their_bytecode() -> None:
    rule = "show:; @printenv PYTHONDONTWRITEBYTECODE || echo absent"
    shows = ["make", "--no-print-directory", "--eval", rule, "show"]

    done = subprocess.run(
        shows, cwd=setup.ROOT, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, check=True
    )

    assert done.stdout == b"absent\n"


def test_moved_environment_works_on(project: Path, tmp_path: Path) -> None:
    setup.set_up(project)
    project.rename(tmp_path / "moved")

    said = greeting(tmp_path / "moved")

    assert said == "hello\n"


def test_tenantctl_runs_in_other_folders_and_when_moved(project: Path, tmp_path: Path) -> None:
    package = project / "scripts" / "tenantctl"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text("import sys\nprint(*sys.argv[1:], sep='|')\n", encoding="utf-8")
    setup.set_up(project)
    project.rename(tmp_path / "moved")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "linked").symlink_to("moved/.venv/bin/tenantctl")

    said = subprocess.run(["./linked", "orgs", "a b"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert said == "orgs|a b\n"


def test_second_set_up_keeps_the_environment(project: Path) -> None:
    setup.set_up(project)
    inode = (project / ".venv" / "pyvenv.cfg").stat().st_ino

    setup.set_up(project)

    assert (project / ".venv" / "pyvenv.cfg").stat().st_ino == inode


@pytest.mark.parametrize("damage", ["no interpreter", "cannot be moved"])
def test_unusable_environment_is_made_anew(project: Path, damage: str) -> None:
    setup.set_up(project)
    if damage == "no interpreter":
        (project / ".venv/bin/python").unlink()
    else:
        (project / ".venv/pyvenv.cfg").write_text("version_info = 3.13\n", encoding="utf-8")

    setup.set_up(project)

    assert setup.is_usable(project / ".venv", VERSION)
    assert greeting(project) == "hello\n"


def test_callers_environment_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("UV_PYTHON", "/nowhere/python")
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", os.devnull)

    setup.set_up(project)

    assert greeting(project) == "hello\n"
    assert not (tmp_path / "elsewhere").exists()


def test_output_of_a_failed_tool_is_shown(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / WHEEL).unlink()

    with pytest.raises(setup.SetupError, match=r"^installing the packages of uv\.lock failed"):
        setup.set_up(project)

    assert WHEEL in capfd.readouterr().err


def test_missing_pip_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(setup.SetupError, match="apt-get install python3-pip"):
        setup.install_uv(tmp_path)
