"""Runs of pytest: on a copy of the unbroken code, and on copies that a mutant has changed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.prove.mutant import ISOLATION_TESTS, Mutant

REPORT_PLUGIN: Final = "tests.isolation.proof.report"
TESTS_OF_MUTANTS: Final = f"{ISOLATION_TESTS}/proof/test_mutants.py"  # every changed copy fails them
SHORT_FORM: Final = (ISOLATION_TESTS, f"--ignore={TESTS_OF_MUTANTS}")
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "--show-capture=no", "--tb=short", "-p", "no:cacheprovider")
SUCCESS, TESTS_FAILED = 0, 1  # exit codes of pytest; a run with any other code is no evidence
HANG_SECONDS: Final = 7200  # a mutant may make a test wait for ever, and a slow machine needs less
NOT_COPIED: Final = (".git", ".venv", ".local", ".aws-sam", "__pycache__", ".*_cache", ".hypothesis")
# A line of pytest's summary. ERROR lines do not match: a test that cannot run does not catch a mutant.
FAILED_TEST: Final = re.compile(r"^(?:SUB)?FAILED\b.*?(tests/\S+::.+?)(?: - |$)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestRun:
    """One run of pytest.

    *exit_code* is None if the run hung and was ended.
    """

    exit_code: int | None
    output: str
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether tests ran and all of them passed."""
        return self.exit_code == SUCCESS

    @property
    def failed_test(self) -> str:
        """The first failed test, empty if no test failed or the run is no evidence."""
        failed = FAILED_TEST.findall(self.output)
        return failed[0] if self.exit_code == TESTS_FAILED and failed else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantVerdict:
    """The result of one mutant.

    *caught_by* is the first failed test. *problem* says why a run is no evidence.
    """

    mutant: Mutant
    caught_by: str
    problem: str
    seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether a test failed."""
        return bool(self.caught_by)

    @property
    def is_stale(self) -> bool:
        """Whether another test than the expected one caught the mutant."""
        return self.is_caught and without_parameters(self.caught_by) != self.mutant.caught_by

    @property
    def reason(self) -> str:
        """The failed test, or why there is none."""
        return self.caught_by or self.problem or "all tests passed"


def without_parameters(node_id: str) -> str:
    """Return *node_id* without the parameters of the test."""
    return node_id.partition("[")[0]


@dataclass(frozen=True, slots=True)
class ProofWorkspace:
    """A folder with a copy of the unbroken code, so that edits during the proof have no effect.

    Runs share compiled bytecode, which saves seconds in each of them.
    """

    folder: Path

    @property
    def code(self) -> Path:
        """The copy of the unbroken code."""
        return self.folder / "code"

    @classmethod
    def create(cls, root: Path, folder: Path) -> "ProofWorkspace":
        """Copy the code under *root* into *folder*, without build results and downloads."""
        workspace = cls(folder)
        shutil.copytree(root, workspace.code, ignore=shutil.ignore_patterns(*NOT_COPIED))
        return workspace

    def run_full_form(self) -> PytestRun:
        """Run all tests in their full form on the unbroken code, and write findings into the folder."""
        return self._run_pytest(
            self.code, [ISOLATION_TESTS, "-p", REPORT_PLUGIN, "--isolation-report", str(self.folder)]
        )

    def run_tests(self, node_ids: Iterable[str]) -> PytestRun:
        """Run the short form of some tests on the unbroken code."""
        return self._run_pytest(self.code, sorted(set(node_ids)))

    def try_mutant(self, mutant: Mutant) -> MutantVerdict:
        """Run the expected test on a changed copy of the code, and all tests if it passes."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="mutant-", dir=self.folder, ignore_cleanup_errors=True) as folder:
            changed = shutil.copytree(self.code, Path(folder) / "code")
            mutant.apply(changed)
            run = self._run_pytest(changed, ["-x", mutant.caught_by], hang_seconds=HANG_SECONDS)
            if run.is_success:
                run = self._run_pytest(changed, ["-x", *SHORT_FORM], hang_seconds=HANG_SECONDS)
        return MutantVerdict(
            mutant=mutant,
            caught_by=run.failed_test,
            problem="" if run.failed_test or run.is_success else _problem(run),
            seconds=time.monotonic() - started,
        )

    def _run_pytest(self, code: Path, arguments: Sequence[str], *, hang_seconds: float | None = None) -> PytestRun:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPATH": "layers/tenancy", "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode")}
        started = time.monotonic()
        with subprocess.Popen(
            [*PYTEST, *arguments],
            cwd=code, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            try:
                output, _ = process.communicate(timeout=hang_seconds)
                exit_code: int | None = process.returncode
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)  # fixtures then stop their servers
                output, _ = process.communicate()
                exit_code = None
        return PytestRun(exit_code=exit_code, output=output, seconds=time.monotonic() - started)


def _problem(run: PytestRun) -> str:
    if run.exit_code is None:
        return f"no evidence: pytest did not end within {HANG_SECONDS} s"
    return f"no evidence: pytest ended with exit code {run.exit_code} and no failed test"
