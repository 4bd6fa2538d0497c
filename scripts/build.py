"""Build the bundle: pinned dependencies, ``sam build``, and bytecode for a quick cold start.

``sam build`` ships no bytecode and Lambda mounts code read-only. So every cold start would compile its imports, which
takes half a second for psycopg alone. Bytecode is kept by content between builds. An unchanged bundle is not built
again.

Usage: ``python -m scripts.build [--architecture arm64] [--build-dir .aws-sam/build]``
"""

import argparse
import hashlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import cache_from_source
from pathlib import Path

import yaml

from scripts.progress import progress
from scripts.template import read_template

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
DEPENDENCIES_LAYER = "DependenciesLayer"
SAML_LAYER = "SamlLayer"
REQUIREMENTS = {
    Path("layers/dependencies/requirements.txt"): ("--no-default-groups",),
    Path("layers/saml/requirements.txt"): ("--only-group", "saml"),
}
INPUTS = ("template.yaml", "stacks", "uv.lock", "functions", "layers", "scripts/build.py", "scripts/template.py")
RELEASE = re.compile(r"(?m)^( +RELEASE: ).*$")
ARCHITECTURE = re.compile(r"(?m)(^  Architecture:\n(?:    .*\n)*?    Default: )\w+$")
EXPORT = (
    *("export", "--frozen", "--no-cache"),
    *("--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build for one architecture into one folder, unless the folder has that build already."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64")
    parser.add_argument("--build-dir", type=Path, default=Path(".aws-sam/build"))
    chosen = parser.parse_args(arguments)
    built = build(ROOT, chosen.build_dir, chosen.architecture)
    say(f"the bundle for {chosen.architecture} is in {chosen.build_dir}{'' if built else ', unchanged'}")


def build(root: Path, build_dir: Path, architecture: str) -> bool:
    """Build the bundle at *root* for *architecture*, and tell whether there was anything to do.

    *build_dir* is relative to *root*.
    """
    target = root / build_dir
    export_requirements(root)
    marker = target.parent / f"{target.name}.inputs"
    digest = hashlib.sha256(f"{architecture} {digest_of_inputs(root)}".encode()).hexdigest()
    if target.exists() and marker.exists() and marker.read_text(encoding="utf-8") == digest:
        return False
    marker.unlink(missing_ok=True)
    say(f"building the bundle for {architecture}")
    with progress(say, "building the bundle"):
        run_sam_build(root, target, architecture)
        remove_repeated_packages(target)
        set_default_architecture(target / "template.yaml", architecture)
        write_start_api_template(target)
        add_bytecode(target, target.parent / "bytecode")
    marker.write_text(digest, encoding="utf-8")
    return True


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"build: {line}", flush=True)


def digest_of_inputs(root: Path) -> str:
    """Return a digest of the bundle's sources, which changes when a build would differ."""
    digest = hashlib.sha256(sys.version.encode())
    for file in _files(root / name for name in INPUTS):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root)} {content}\n".encode())
    return digest.hexdigest()


def export_requirements(root: Path) -> None:
    """Write the locked dependencies for ``sam build``, if they have changed."""
    for name, chosen in REQUIREMENTS.items():
        command = [sys.executable, "-m", "uv", *EXPORT, *chosen]
        exported = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
        if exported.returncode:
            sys.exit(f"{exported.stderr.strip()}\nuv export failed.")
        file = root / name
        if not file.exists() or file.read_text(encoding="utf-8") != exported.stdout:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(exported.stdout, encoding="utf-8")


def run_sam_build(root: Path, target: Path, architecture: str) -> None:
    """Let SAM gather functions and layers, with pip and the functions' Python on the PATH."""
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


def remove_repeated_packages(target: Path) -> None:
    """Remove the packages from the layer of SAML that its function has by the layer of all functions.

    pip installs the dependencies of each package. Both layers have them in the version of the lock.
    """
    everywhere, own = target / DEPENDENCIES_LAYER / "python", target / SAML_LAYER / "python"
    if not own.exists():
        return
    for name in {file.name for file in everywhere.iterdir()} & {file.name for file in own.iterdir()}:
        if (own / name).is_dir():
            shutil.rmtree(own / name)
        else:
            (own / name).unlink()


def set_default_architecture(template: Path, architecture: str) -> None:
    """Make *architecture* the template's default, because the built code runs on no other."""
    text, replaced = ARCHITECTURE.subn(rf"\g<1>{architecture}", template.read_text(encoding="utf-8"))
    if replaced != 1:
        sys.exit(f"{template} has no parameter Architecture with a default.")
    template.write_text(text, encoding="utf-8")


def set_release(template: Path, release: str) -> None:
    """Write *release* into the variable RELEASE of all functions in the built *template*.

    SAM publishes new versions of functions only if the template differs from that of the last deploy. The values of
    parameters are not in it (https://github.com/aws/serverless-application-model/issues/3820).
    """
    text, replaced = RELEASE.subn(rf'\g<1>"{release}"', template.read_text(encoding="utf-8"))
    if not replaced:
        sys.exit(f"{template} has no variable RELEASE.")
    template.write_text(text, encoding="utf-8")


def write_start_api_template(target: Path) -> None:
    """Write start-api.yaml for ``sam local start-api``: the built template without OPTIONS and without aliases.

    SAM CLI merges the methods of a path and may drop its authorizer because OPTIONS has none
    (https://github.com/aws/aws-sam-cli/issues/9165). It drops an authorizer that is the alias of a function. Use the
    built template once both are mended.
    """
    template = read_template(target / "template.yaml")
    for resource in template["Resources"].values():
        events = resource.get("Properties", {}).get("Events", {})
        preflights = [name for name, event in events.items() if event.get("Properties", {}).get("Method") == "OPTIONS"]
        for name in preflights:
            del events[name]
        for authorizer in resource.get("Properties", {}).get("Auth", {}).get("Authorizers", {}).values():
            if "Ref" in authorizer["FunctionArn"]:
                authorizer["FunctionArn"] = {
                    "Fn::GetAtt": [authorizer["FunctionArn"]["Ref"].removesuffix(".Alias"), "Arn"]
                }
    (target / "start-api.yaml").write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")


def add_bytecode(target: Path, kept: Path) -> None:
    """Put bytecode beside all Python files below *target*, with *kept* as its cache."""
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
    """Compile one file so that Python never compares dates.

    Packages have no dates, and each comparison would cost a system call.
    """
    file, target, pyc = work
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    name = str(file.relative_to(target))  # and not the folder of this build: equal sources make equal layers
    py_compile.compile(str(file), cfile=str(pyc), dfile=name, invalidation_mode=mode, quiet=2)


def _keep_as(file: Path, target: Path, kept: Path) -> Path:
    name = f"{sys.version} {file.relative_to(target)} ".encode()
    return kept / f"{hashlib.sha256(name + file.read_bytes()).hexdigest()}.pyc"


def _search_path() -> str:
    return os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath), os.defpath])


def _files(paths: Iterable[Path]) -> list[Path]:
    found = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return sorted(file for file in found if file.is_file() and "__pycache__" not in file.parts)


if __name__ == "__main__":
    main()
