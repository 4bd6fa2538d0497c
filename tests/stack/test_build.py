import shutil
import struct
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from scripts import build

UNCHECKED_HASH = 0b01  # PEP 552: named by content, never compared with the source


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name in ("functions/usage", "layers/tenancy"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "functions/usage/app.py").write_text("USED = 1\n", encoding="utf-8")
    (tmp_path / "template.yaml").write_text("Resources: {}\n", encoding="utf-8")
    return tmp_path


def built(target: Path) -> Path:
    module = target / "TenancyLayer" / "python" / "tenancy" / "tiers.py"
    module.parent.mkdir(parents=True)
    module.write_text("def price():\n    raise ValueError\n", encoding="utf-8")
    return module


def test_bytecode_is_taken_without_a_look_at_the_source(tmp_path: Path) -> None:
    module = built(tmp_path / "build")
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    header = Path(cache_from_source(module)).read_bytes()[:8]
    assert struct.unpack("<4xI", header) == (UNCHECKED_HASH,)
    module.write_text("def price():\n    return 1\n", encoding="utf-8")
    command = [sys.executable, "-c", "import tenancy.rules.tiers; tenancy.rules.tiers.price()"]
    run = subprocess.run(command, cwd=module.parents[1], capture_output=True, text=True, check=False)
    assert "ValueError" in run.stderr


def test_what_was_compiled_once_is_not_compiled_again(tmp_path: Path) -> None:
    module = built(tmp_path / "build")
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    [kept] = (tmp_path / "kept").iterdir()
    before = kept.stat().st_mtime_ns
    shutil.rmtree(module.parent / "__pycache__")
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    assert kept.stat().st_mtime_ns == before
    assert Path(cache_from_source(module)).exists()


def test_bytecode_of_code_that_is_gone_is_not_kept(tmp_path: Path) -> None:
    module = built(tmp_path / "build")
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    module.write_text("", encoding="utf-8")
    build.add_bytecode(tmp_path / "build", tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_change_of_a_function_asks_for_another_build(bundle: Path) -> None:
    before = build.digest_of_inputs(bundle)
    (bundle / "functions/usage/__pycache__").mkdir()
    (bundle / "functions/usage/__pycache__/app.pyc").write_bytes(b"not an input")
    assert build.digest_of_inputs(bundle) == before
    (bundle / "functions/usage/app.py").write_text("USED = 2\n", encoding="utf-8")
    assert build.digest_of_inputs(bundle) != before
