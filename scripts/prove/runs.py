"""Runs of the proof: the full one on the code as it is, and the short one on a copy that a mutant has broken."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.prove.mutant import Mutant

TESTS: Final = "tests/isolation"
ABOUT_MUTANTS: Final = f"{TESTS}/proof/test_mutants.py"  # a broken copy fails it in any case
PLUGIN: Final = "tests.isolation.proof.report"
FAILED: Final = 1  # pytest's exit code for failed tests; every other one but 0 is a run that proves nothing
TIMEOUT_SECONDS: Final = 900
NOT_COPIED: Final = (".git", ".venv", ".local", ".aws-sam", "__pycache__", ".*_cache", ".hypothesis")
FAILURE: Final = re.compile(r"^(?:SUB)?FAILED\b.*?(tests/\S+::.+?)(?: - |$)", re.MULTILINE)  # an error is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a mutant; *caught_by* is the test that failed first, *problem* why a run proves nothing."""

    mutant: Mutant
    caught_by: str = ""
    problem: str = ""


def copy(root: Path, folder: Path) -> Path:
    """Copy the code under *root* into *folder*, without what was built or downloaded, and return where it is."""
    return shutil.copytree(root, folder / "code", ignore=shutil.ignore_patterns(*NOT_COPIED))


def prove(root: Path, directory: Path) -> int:
    """Run the whole proof on the code under *root*; its findings go into *directory*. Return pytest's exit code."""
    return _pytest(root, ["-p", PLUGIN, "--isolation-report", str(directory)], output=None).returncode


def try_mutant(root: Path, mutant: Mutant) -> Verdict:
    """Break a copy of *root*, and see which test of the proof's short form fails first."""
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as folder:
        broken = copy(root, Path(folder))
        mutant.apply(broken)
        options = ["-x", "--show-capture=no", "--tb=no", "-p", "no:cacheprovider", f"--ignore={ABOUT_MUTANTS}"]
        try:
            done = _pytest(broken, options, output=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            return Verdict(mutant=mutant, problem=f"no end within {TIMEOUT_SECONDS} s")
    failures = FAILURE.findall(done.stdout)
    if done.returncode == FAILED and failures:
        return Verdict(mutant=mutant, caught_by=failures[0].removeprefix(f"{TESTS}/"))
    problem = "" if done.returncode == 0 else f"a run that proves nothing: pytest ended with {done.returncode}"
    return Verdict(mutant=mutant, problem=problem)


def _pytest(root: Path, options: Sequence[str], *, output: int | None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", TESTS, "-q", *options]
    environment = {**os.environ, "PYTHONPATH": "layers/tenancy", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=output, stderr=output and subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            text, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)  # fixtures then stop their servers
            raise
    return subprocess.CompletedProcess(command, process.returncode, text or "")
