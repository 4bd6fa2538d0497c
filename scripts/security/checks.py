"""bandit, detect-secrets and checkov. Each check returns the lines that it found."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from scripts.security.accepted import ACCEPTED
from scripts.security.made_up import MADE_UP
from scripts.security.templates import write_templates
from scripts.security.tools import HOME, ROOT, run

CODE: Final = ("functions", "layers/tenancy", "scripts")
BANDIT_LINE: Final = "{relpath}:{line}: {test_id} {msg}"
# Long random texts and words such as `secret` are everywhere: ids, digests, signatures. ruff (S105) reads words.
NOISY: Final = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "IPPublicDetector")
# Pictures, locks, and documents that scripts/openapi makes.
SKIPPED: Final = re.compile(r"\.(png|ico|woff2?|zip|lock)$|package-lock\.json$|/openapi\.json$")


def check_code() -> list[str]:
    """Run bandit. pyproject.toml says which rules ruff checks in its place."""
    options = ["--quiet", "--recursive", "--configfile", "pyproject.toml", "--format", "custom"]
    done = run("bandit", [*options, "--msg-template", BANDIT_LINE, *CODE], is_quiet=True)
    return done.stdout.splitlines()


def check_secrets() -> list[str]:
    """Run detect-secrets on all files of the repository. MADE_UP has invented credentials."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    files = [name for name in listed.splitlines() if not SKIPPED.search(name) and (ROOT / name).is_file()]
    plugins = [option for name in NOISY for option in ("--disable-plugin", name)]
    done = run("detect-secrets", ["scan", "--no-verify", *plugins, *files])
    found = [
        (file, finding["line_number"], finding["type"])
        for file, findings in json.loads(done.stdout)["results"].items()
        for finding in findings
    ]
    unknown = [f"{file}:{line}: {kind}" for file, line, kind in found if not _is_made_up(file, line)]
    stale = [each for each in MADE_UP if not any(re.fullmatch(each, file) for file, _, _ in found)]
    return [*unknown, *(f"scripts/security/made_up.py: {each!r} accepts nothing" for each in stale)]


def check_templates() -> list[str]:
    """Run checkov on the templates with all conditions true, and with all false."""
    folder = HOME / "templates"
    shutil.rmtree(folder, ignore_errors=True)
    write_templates(ROOT, folder)
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--output", "json"]
    done = run("checkov", ["--directory", str(folder), *options], is_quiet=True)
    return list(judge(json.loads(done.stdout)))


def judge(report: dict[str, Any]) -> Iterator[str]:
    """Yield findings of checkov's *report* that are not accepted, and acceptances without a finding.

    Raises:
        KeyError: it is no report of templates.
    """
    failed = [
        (each["check_id"], each["resource"], each["file_path"], each["check_name"])
        for each in report["results"]["failed_checks"]
    ]
    if report["summary"]["parsing_errors"]:
        yield f"checkov could not read {report['results']['parsing_errors']}"
    for check, resource, file, name in failed:
        if not any(each.covers(check, resource, file) for each in ACCEPTED):
            yield f"{file.lstrip('/')}: {resource}: {check} {name}"
    for each in ACCEPTED:
        if not any(each.covers(*finding[:3]) for finding in failed):
            yield f"scripts/security/accepted.py: nothing is found by {each.check} on {each.resource} in {each.file}"


def judge_audit(report: dict[str, Any]) -> Iterator[str]:
    """Yield the advisories of pip-audit's *report*, and how many packages could not be compared."""
    skipped = [each["name"] for each in report["dependencies"] if "skip_reason" in each]
    for package in report["dependencies"]:
        for advisory in package.get("vulns", []):
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            yield f"{package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}"
    if skipped:
        yield (
            f"{len(skipped)} packages, such as {skipped[0]}, were not compared: the package index has no advisories."
            " Use one with the JSON API of pypi.org."
        )


def _is_made_up(file: str, number: int) -> bool:
    line = _line(ROOT / file, number)
    return any(re.fullmatch(files, file) and re.search(texts, line) for files, (texts, _) in MADE_UP.items())


def _line(file: Path, number: int) -> str:
    return file.read_text(encoding="utf-8").splitlines()[number - 1]
