import shutil
import struct
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest
import yaml

from scripts import build

UNCHECKED_HASH = 0b01  # PEP 552: named by content, never compared with the source
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PROJECT = f"""
[project]
name = "small"
version = "1"
requires-python = ">={VERSION}"
[dependency-groups]
saml = []
"""
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Parameters:
  Architecture:
    Type: String
    Default: arm64
Resources:
  Usage:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/usage
      Handler: app.handler
      Runtime: python{VERSION}
      Architectures: [{{Ref: Architecture}}]
"""


def make_bundle(root: Path) -> Path:
    """Make a project with one function and a lock file."""
    (root / "functions/usage").mkdir(parents=True)
    (root / "functions/usage/app.py").write_text("USED = 1\n", encoding="utf-8")
    (root / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    lock = [sys.executable, "-m", "uv", "lock", "--quiet", "--offline", "--python", sys.executable]
    subprocess.run(lock, cwd=root, check=True)
    return root


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a project, and move it afterwards."""
    folder = tmp_path_factory.mktemp("moved")
    root = make_bundle(folder / "here")
    assert build.build(root, Path(".aws-sam/build"), "x86_64")
    return root.rename(folder / "there")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Make a built layer with one module."""
    module = tmp_path / "build" / "TenancyLayer" / "python" / "tenancy" / "tiers.py"
    module.parent.mkdir(parents=True)
    module.write_text("def price():\n    raise ValueError\n", encoding="utf-8")
    return module


def test_bytecode_is_used_without_comparing_the_source(module: Path, tmp_path: Path) -> None:
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    module.write_text("def price():\n    return 1\n", encoding="utf-8")

    command = [sys.executable, "-c", "import tenancy.tiers; tenancy.tiers.price()"]
    run = subprocess.run(command, cwd=module.parents[1], env={}, capture_output=True, text=True, check=False)

    header = Path(cache_from_source(module)).read_bytes()[:8]
    assert struct.unpack("<4xI", header) == (UNCHECKED_HASH,)
    assert "ValueError" in run.stderr


def test_compiled_file_is_not_compiled_again(module: Path, tmp_path: Path) -> None:
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    [kept] = (tmp_path / "kept").iterdir()
    before = kept.stat().st_mtime_ns
    shutil.rmtree(module.parent / "__pycache__")

    build.add_bytecode(tmp_path / "build", tmp_path / "kept")

    assert kept.stat().st_mtime_ns == before
    assert Path(cache_from_source(module)).exists()


def test_bytecode_of_deleted_code_is_not_kept(module: Path, tmp_path: Path) -> None:
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    module.write_text("", encoding="utf-8")

    build.add_bytecode(tmp_path / "build", tmp_path / "kept")

    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_change_of_a_function_needs_another_build(bundle: Path) -> None:
    before = build.digest_of_inputs(bundle)

    (bundle / "functions/usage/__pycache__").mkdir()
    (bundle / "functions/usage/__pycache__/app.pyc").write_bytes(b"not an input")
    same = build.digest_of_inputs(bundle)
    (bundle / "functions/usage/app.py").write_text("USED = 2\n", encoding="utf-8")
    changed = build.digest_of_inputs(bundle)

    assert same == before
    assert changed != before


def test_built_template_defaults_to_its_architecture(moved: Path) -> None:
    built = yaml.safe_load((moved / ".aws-sam/build/template.yaml").read_text(encoding="utf-8"))

    assert built["Parameters"]["Architecture"]["Default"] == "x86_64"


def test_release_is_written_into_the_built_template(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("        RELEASE: none\n", encoding="utf-8")

    build.set_release(template, "2026-11-29T12:00:00Z")

    assert template.read_text(encoding="utf-8") == '        RELEASE: "2026-11-29T12:00:00Z"\n'


def test_template_without_a_release_is_an_error(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("        MAIL_FROM: none\n", encoding="utf-8")

    with pytest.raises(SystemExit, match="has no variable RELEASE"):
        build.set_release(template, "2026-11-29T12:00:00Z")


def test_build_says_where_its_result_is(
    moved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "ROOT", moved)

    build.main(["--architecture", "x86_64"])

    assert capsys.readouterr().out == "build: the bundle for x86_64 is in .aws-sam/build, unchanged\n"


def test_moved_checkout_builds_again(moved: Path) -> None:
    (moved / "functions/usage/app.py").write_text("USED = 2\n", encoding="utf-8")

    changed = build.build(moved, Path(".aws-sam/build"), "x86_64")

    assert changed
    assert (moved / ".aws-sam/build/Usage/app.py").read_text(encoding="utf-8") == "USED = 2\n"


def test_output_of_a_failed_sam_build_is_shown(bundle: Path) -> None:
    (bundle / "template.yaml").write_text("Resources: {", encoding="utf-8")

    with pytest.raises(SystemExit, match=r"template(.|\n)*sam build failed\.$"):
        build.build(bundle, Path(".aws-sam/build"), "x86_64")


def test_output_of_a_failed_uv_is_shown(bundle: Path) -> None:
    (bundle / "uv.lock").unlink()

    with pytest.raises(SystemExit, match=r"uv\.lock(.|\n)*uv export failed\.$"):
        build.build(bundle, Path(".aws-sam/build"), "x86_64")
