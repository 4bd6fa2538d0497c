"""`make prove`: run the isolation tests on the code and on mutants of it.

The report is written to isolation-report.json and .html.

Words as arguments choose the mutants whose names contain all of them. Such a run writes no report.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scripts.prove.mutant import Mutant
from scripts.prove.mutants import MUTANTS
from scripts.prove.report_page import duration, render_page
from scripts.prove.runs import MutantVerdict, ProofWorkspace, PytestRun, without_parameters

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = "isolation-report"
CONCURRENT_RUNS: Final = min(os.process_cpu_count() or 2, 8)  # each takes a core and 1.5 GB


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult:
    """The verdicts of all mutants, and the failed runs and findings of the unbroken code."""

    verdicts: list[MutantVerdict]
    failed_runs: list[str]
    findings: dict[str, Any]
    seconds: float

    @property
    def is_proven(self) -> bool:
        """Whether the unbroken code passed every run, and every mutant was caught."""
        return not self.failed_runs and all(verdict.is_caught for verdict in self.verdicts)


def main(words: list[str]) -> int:
    """Run the proof and print its result.

    Returns:
        0 if it succeeded, 1 if not, 2 if *words* choose no mutant.
    """
    mutants = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    if not mutants:
        print("No mutant's name contains all of these words.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        result = prove(Path(folder), mutants, is_full=not words)
    _print_result(result)
    if not words:
        _write_report(result)
    return 0 if result.is_proven else 1


def prove(folder: Path, mutants: Sequence[Mutant], *, is_full: bool) -> ProofResult:
    """Run the tests on the unbroken code and on every mutant, several at once.

    The unbroken code must pass every test that caught a mutant, in the same form. *is_full* also runs the full form of
    all tests on it.
    """
    started = time.monotonic()
    workspace = ProofWorkspace.create(ROOT, folder)
    expected = {mutant.caught_by for mutant in mutants}
    with ThreadPoolExecutor(CONCURRENT_RUNS) as pool:
        unbroken: dict[str, Future[PytestRun]] = {}
        if is_full:
            unbroken["full form of all tests"] = pool.submit(workspace.run_full_form)
        unbroken["tests that catch mutants"] = pool.submit(workspace.run_tests, expected)
        verdicts = list(_printed(pool.map(workspace.try_mutant, mutants)))
        unexpected = {without_parameters(verdict.caught_by) for verdict in verdicts if verdict.is_stale} - expected
        if unexpected:
            unbroken["other tests that caught mutants"] = pool.submit(workspace.run_tests, unexpected)
    failed_runs = [name for name, run in unbroken.items() if not _print_run(name, run.result())]
    return ProofResult(
        verdicts=verdicts,
        failed_runs=failed_runs,
        findings=_read_findings(folder),
        seconds=time.monotonic() - started,
    )


def _printed(verdicts: Iterable[MutantVerdict]) -> Iterator[MutantVerdict]:
    """Print each verdict as soon as it is there."""
    for verdict in verdicts:
        print(f"{'caught' if verdict.is_caught else 'MISSED'}  {verdict.mutant.name} ({duration(verdict.seconds)})")
        print(f"        {verdict.reason}", flush=True)
        if verdict.is_stale:
            print(f"        stale expectation: {verdict.mutant.caught_by} passed", flush=True)
        yield verdict


def _print_run(name: str, run: PytestRun) -> bool:
    """Print a run of the unbroken code, and return whether it succeeded."""
    print(f"{'passed' if run.is_success else 'FAILED'}  unbroken code: {name} ({duration(run.seconds)})", flush=True)
    if not run.is_success:
        print(run.output, flush=True)
    return run.is_success


def _print_result(result: ProofResult) -> None:
    caught = sum(verdict.is_caught for verdict in result.verdicts)
    stale = sum(verdict.is_stale for verdict in result.verdicts)
    print(f"{caught} of {len(result.verdicts)} mutants caught", end="")
    print(f", {stale} not by the expected test" if stale else "", end="")
    print(f"; {'proven' if result.is_proven else 'NOT PROVEN'} in {duration(result.seconds)}")


def _write_report(result: ProofResult) -> None:
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "proven": result.is_proven,
        "seconds": round(result.seconds, 1),
        "findings": result.findings,
        "mutants": [_document(verdict) for verdict in result.verdicts],
    }
    (ROOT / f"{REPORT}.json").write_text(f"{json.dumps(report, indent=2)}\n", encoding="utf-8")
    (ROOT / f"{REPORT}.html").write_text(render_page(report), encoding="utf-8")
    print(f"Report: {REPORT}.html, {REPORT}.json")


def _document(verdict: MutantVerdict) -> dict[str, str | bool | float]:
    return {
        "name": verdict.mutant.name,
        "safeguard": verdict.mutant.safeguard,
        "file": verdict.mutant.file,
        "caught": verdict.is_caught,
        "by": verdict.reason,
        "seconds": round(verdict.seconds, 1),
    }


def _read_findings(folder: Path) -> dict[str, Any]:
    file = folder / f"{REPORT}.json"
    findings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return findings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
