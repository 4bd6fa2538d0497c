"""The command line: ``python -m scripts.security lint | audit | sbom``."""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Final

from scripts.security import checks, tools

SBOM: Final = tools.HOME / "sbom.cdx.json"
REQUIREMENTS: Final = tools.HOME / "requirements.txt"
LOCKS: Final = (tools.ROOT, tools.FOLDER)


def main() -> int:
    """Run one command, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.security", description=__doc__)
    parser.add_argument("command", choices=["lint", "audit", "sbom"])
    command = parser.parse_args().command
    tools.HOME.mkdir(parents=True, exist_ok=True)
    if command == "sbom":
        return sbom()
    tools.install()
    return lint() if command == "lint" else audit()


def lint() -> int:
    """Print the findings of bandit, detect-secrets and checkov."""
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(check) for check in (checks.check_code, checks.check_secrets, checks.check_templates)]
        lines = list(chain.from_iterable(each.result() for each in started))
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


def audit() -> int:
    """Compare the locked versions with PyPI's advisories."""
    lines = []
    for project in LOCKS:
        _export(project, "requirements.txt", REQUIREMENTS, "--all-groups", "--no-emit-project")
        options = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "--format", "json"]
        done = tools.run("pip-audit", ["--requirement", str(REQUIREMENTS), *options], is_quiet=True)
        name = (project / "uv.lock").relative_to(tools.ROOT)
        lines += [f"{name}: {line}" for line in checks.judge_audit(json.loads(done.stdout))]
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


def sbom() -> int:
    """Write the packages of the deployed layers as CycloneDX, and print the name of the file."""
    _export(tools.ROOT, "cyclonedx1.5", SBOM, "--no-dev", "--group", "saml")
    print(SBOM.relative_to(tools.ROOT))
    return 0


def _export(project: Path, form: str, file: Path, *options: str) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "export", "--quiet", "--frozen", "--project", str(project), "--format", form, *options]
    subprocess.run([*command, "--output-file", str(file)], cwd=tools.ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
