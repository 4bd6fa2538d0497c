"""Build the bundle: pinned dependencies, ``sam build``, and bytecode that a cold start need not make.

``sam build`` ships no bytecode and Lambda mounts code read-only, so that every cold start would compile whatever it
imports: psycopg alone half a second. Bytecode is kept by content between builds; an unchanged bundle is not built
again.

Usage: ``python -m scripts.build [--architecture arm64] [--build-dir .aws-sam/build]``
"""

import argparse
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import cache_from_source
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
REQUIREMENTS = Path("layers/dependencies/requirements.txt")
INPUTS = ("template.yaml", "uv.lock", "functions", "layers", "scripts/build.py")
EXPORT = ("export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build for one architecture into one folder, unless that is what the folder holds already."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64")
    parser.add_argument("--build-dir", type=Path, default=Path(".aws-sam/build"))
    chosen = parser.parse_args(arguments)
    build(ROOT, chosen.build_dir, chosen.architecture)


def build(root: Path, build_dir: Path, architecture: str) -> None:
    """Build the bundle at *root*, for *architecture*, into *build_dir* (relative to *root*)."""
    target = root / build_dir
    export_requirements(root)
    marker = target.parent / f"{target.name}.inputs"
    digest = hashlib.sha256(f"{architecture} {digest_of_inputs(root)}".encode()).hexdigest()
    if target.exists() and marker.exists() and marker.read_text(encoding="utf-8") == digest:
        return
    marker.unlink(missing_ok=True)
    run_sam_build(root, target, architecture)
    add_bytecode(target, target.parent / "bytecode")
    marker.write_text(digest, encoding="utf-8")


def digest_of_inputs(root: Path) -> str:
    """A digest of all that the bundle is made of: it changes when a build would give something else."""
    digest = hashlib.sha256(sys.version.encode())
    for file in _files(root / name for name in INPUTS):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root)} {content}\n".encode())
    return digest.hexdigest()


def export_requirements(root: Path) -> None:
    """Write the locked dependencies where ``sam build`` looks for them, if they are others than before."""
    uv = shutil.which("uv", path=_search_path())
    if uv is None:
        if (root / REQUIREMENTS).exists():
            return
        sys.exit("uv is needed to export the locked dependencies: https://docs.astral.sh/uv/")
    exported = subprocess.run([uv, *EXPORT], cwd=root, check=True, capture_output=True, text=True).stdout
    file = root / REQUIREMENTS
    if not file.exists() or file.read_text(encoding="utf-8") != exported:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(exported, encoding="utf-8")


def run_sam_build(root: Path, target: Path, architecture: str) -> None:
    """Let SAM gather functions and layers; it needs pip and the functions' Python on the path."""
    command = [str(PROGRAMS / "sam"), "build", "--cached", "--parallel", "--template", "template.yaml"]
    folders = ["--build-dir", str(target), "--cache-dir", str(target.parent / "cache")]
    environment = {
        **os.environ,
        "PATH": _search_path(),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    }
    result = subprocess.run(
        [*command, *folders, "--parameter-overrides", f"Architecture={architecture}"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{result.stdout}\nsam build failed.")


def add_bytecode(target: Path, kept: Path) -> None:
    """Put bytecode beside all Python files below *target*; what was compiled before comes from *kept*."""
    kept.mkdir(parents=True, exist_ok=True)
    sources = [(file, _keep_as(file, target, kept)) for file in sorted(target.rglob("*.py"))]
    missing = [(file, target, pyc) for file, pyc in sources if not pyc.exists()]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_compile, missing, chunksize=16))
    for file, pyc in sources:
        if pyc.exists():
            beside = Path(cache_from_source(file))
            beside.parent.mkdir(exist_ok=True)
            shutil.copyfile(pyc, beside)
    for pyc in set(kept.iterdir()) - {pyc for _, pyc in sources}:
        pyc.unlink()


def _compile(work: tuple[Path, Path, Path]) -> None:
    """Compile one file so that its dates never count: packages have none, and a check would cost a call per import."""
    file, target, pyc = work
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    name = str(file.relative_to(target))  # and not the folder of this build: equal sources make equal layers
    py_compile.compile(str(file), cfile=str(pyc), dfile=name, invalidation_mode=mode, quiet=2)


def _keep_as(file: Path, target: Path, kept: Path) -> Path:
    name = f"{sys.version} {file.relative_to(target)} ".encode()
    return kept / f"{hashlib.sha256(name + file.read_bytes()).hexdigest()}.pyc"


def _search_path() -> str:
    return f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"


def _files(paths: Iterable[Path]) -> list[Path]:
    found = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return sorted(file for file in found if file.is_file() and "__pycache__" not in file.parts)


if __name__ == "__main__":
    main()
